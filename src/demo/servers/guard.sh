# Keeps one private server. It obeys words on stdin, and when stdin ends (its owner is gone,
# however it died) it stops the server and removes its folder. So a server never outlives us,
# not even after a kill -9.
# usage: sh -c SCRIPT guard FOLDER LAST_SIGNAL SERVER [ARGUMENT…]
# words: `start` answers the server's process id; a signal name (INT) answers `stopped` when the
# server is gone.
folder=$1
last_signal=$2
shift 2
server=

# A server that has ended but was not waited for is a zombie: gone for our purposes.
alive() {
    [ -r "/proc/$server/stat" ] || return 1
    read -r _ _ state _ 2>/dev/null <"/proc/$server/stat" || return 1
    [ "$state" != Z ]
}

stop() {
    [ -n "$server" ] || return 0
    kill -s "$1" "$server" 2>/dev/null
    rounds=0
    while alive; do
        rounds=$((rounds + 1))
        # 30 s: longer than any orderly stop of a small server, shorter than a person's patience.
        [ "$rounds" -eq 1500 ] && kill -s KILL "$server"
        sleep 0.02
    done
    wait "$server"
    server=
}

# A signal ends the `read` below, which is the orderly way out.
trap : HUP INT TERM
while read -r word; do
    case $word in
        start)
            "$@" </dev/null >>"$folder/server.log" 2>&1 &
            server=$!
            echo "$server"
            ;;
        *)
            stop "$word"
            echo stopped
            ;;
    esac
done
stop "$last_signal"

# Again if something (an initdb that lost its owner) is still writing.
for _ in 1 2 3 4 5 6 7 8 9 10; do
    rm -rf "$folder" 2>/dev/null
    [ -e "$folder" ] || break
    sleep 0.2
done
