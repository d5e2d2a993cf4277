//! The macro that turns the list of metrics into a struct, a constructor and a description.

/// One line of the list, for the manual and the tests.
#[derive(Debug)]
pub struct Family {
    /// The metric's name.
    pub name: &'static str,
    /// Its label names.
    pub labels: &'static [&'static str],
    /// What it counts, from its doc comment.
    pub help: &'static str,
    /// The Rust type that keeps it.
    pub(super) rust_type: &'static str,
}

impl Family {
    /// Prometheus' word for its type.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.rust_type {
            "IntCounter" | "IntCounterVec" => "counter",
            "Histogram" | "HistogramVec" | "ServiceHistogramVec" => "histogram",
            _ => "gauge",
        }
    }
}

/// Declares the families: `/// help`, field, type, name, labels.
macro_rules! families {
    ($(
        $(#[doc = $help:literal])+
        $field:ident: $kind:ident = $name:literal [$($label:literal),*];
    )*) => {
        /// The families, one field each.
        #[derive(Debug)]
        pub struct Families {
            $($(#[doc = $help])+ pub $field: $kind,)*
        }

        /// What is declared, in order.
        pub const FAMILIES: &[$crate::metrics::macros::Family] = &[
            $($crate::metrics::macros::Family {
                name: $name,
                labels: &[$($label),*],
                help: concat!($($help),+),
                rust_type: stringify!($kind),
            },)*
        ];

        impl Families {
            fn new(registry: &Registry) -> prometheus::Result<Self> {
                Ok(Self {$(
                    $field: {
                        let help = concat!($($help),+);
                        let family = families!(@new $kind, $name, help, &[$($label),*])?;
                        registry.register(Box::new(family.clone()))?;
                        family
                    },
                )*})
            }
        }
    };
    (@new Histogram, $name:literal, $help:expr, $labels:expr) => {
        Histogram::with_opts(prometheus::histogram_opts!(
            $name,
            $help.trim(),
            DURATION_BUCKETS.to_vec()
        ))
    };
    (@new HistogramVec, $name:literal, $help:expr, $labels:expr) => {
        HistogramVec::new(
            prometheus::histogram_opts!($name, $help.trim(), DURATION_BUCKETS.to_vec()),
            $labels,
        )
    };
    (@new ServiceHistogramVec, $name:literal, $help:expr, $labels:expr) => {
        HistogramVec::new(
            prometheus::histogram_opts!($name, $help.trim(), SERVICE_BUCKETS.to_vec()),
            $labels,
        )
    };
    (@new IntCounter, $name:literal, $help:expr, $labels:expr) => {
        IntCounter::new($name, $help.trim())
    };
    (@new IntGauge, $name:literal, $help:expr, $labels:expr) => {
        IntGauge::new($name, $help.trim())
    };
    (@new Gauge, $name:literal, $help:expr, $labels:expr) => {
        Gauge::new($name, $help.trim())
    };
    (@new $kind:ident, $name:literal, $help:expr, $labels:expr) => {
        $kind::new(prometheus::Opts::new($name, $help.trim()), $labels)
    };
}

pub(super) use families;
