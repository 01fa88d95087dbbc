//! Values that are one of a few words.

/// `TYPE, kept as KEPT = "one" => VALUE, "another" => VALUE, or "the last" => VALUE` lists each word once. Reading,
/// showing, documentation and form follow from it. With `TYPE` alone, the type itself is stored and also implements
/// `Display`.
macro_rules! choice {
    ($type:ty = $($rest:tt)*) => {
        $crate::settings::value::choice! { $type, kept as $type = $($rest)* }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&<Self as $crate::settings::value::Value>::show(self))
            }
        }
    };
    ($type:ty, kept as $kept:ty = $first:literal => $one:expr, $($name:literal => $value:expr,)* or $last:literal => $end:expr) => {
        impl $crate::settings::value::Value for $type {
            type Kept = $kept;
            const KIND: &'static str = concat!($first, $(", ", $name,)* " or ", $last);
            const FORM: $crate::settings::value::Form =
                $crate::settings::value::Form::OneOf(&[$first, $($name,)* $last]);

            fn read(text: &str) -> Result<$kept, String> {
                match text {
                    $first => Ok($one),
                    $($name => Ok($value),)*
                    $last => Ok($end),
                    _ => Err(format!("\"{text}\" is not one of {}", [$first, $($name,)* $last].join(", "))),
                }
            }

            fn show(kept: &$kept) -> String {
                let all: &[(&str, $kept)] = &[($first, $one), $(($name, $value),)* ($last, $end)];
                all.iter().find(|(_, value)| value == kept).map_or("", |(name, _)| *name).to_owned()
            }
        }
    };
}
pub(crate) use choice;
