-- What some batches appended to the history of an entity, in its order.
SELECT * FROM canon.{history} WHERE _batch > {after} AND _batch <= {upto} ORDER BY _batch, rowid
