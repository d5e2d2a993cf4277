//! Tests that run on several versions of a server: a body each, and a test per version.

/// None is the server that people have, see `Options::version`.
pub(crate) type Version = Option<&'static str>;

/// Makes tests of bodies, each an `async fn(Version)`, in modules that are named by what they
/// require: `on_versions! { [postgres pg18] a_body another }` makes `postgres::a_body`,
/// `pg18::a_body` and so on.
macro_rules! on_versions {
    ([$($version:ident)*] $($test:ident)*) => {
        $crate::support::versions::on_versions! { @each $($version)*; [$($test)*] }
    };
    (@each $($version:ident)*; $tests:tt) => {
        $($crate::support::versions::on_versions! { @one $version $tests })*
    };
    (@one $version:ident [$($test:ident)*]) => {
        mod $version {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    if let Some(version) = $crate::support::require::version(stringify!($version)) {
                        super::$test(version).await;
                    }
                }
            )*
        }
    };
}
pub(crate) use on_versions;
