//! The options in the attributes' parentheses: `name`, or `name = expression`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Ident, Lit, Result, Token};

struct One {
    name: Ident,
    value: Option<Expr>,
}

impl Parse for One {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = Ident::parse_any(input)?;
        let value = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Some(input.parse()?)
        } else {
            None
        };
        Ok(Self { name, value })
    }
}

/// The options that were given.
pub struct Options(Vec<One>);

impl Options {
    /// Parses them, and refuses names that are not in `known`.
    pub fn parse(tokens: TokenStream, known: &[&str]) -> Result<Self> {
        let parsed = Punctuated::<One, Token![,]>::parse_terminated.parse2(tokens)?;
        let options: Vec<One> = parsed.into_iter().collect();
        for (index, One { name, .. }) in options.iter().enumerate() {
            if !known.iter().any(|k| name == k) {
                let list = known.join("`, `");
                return Err(Error::new(name.span(), format!("unknown option `{name}`; known: `{list}`")));
            }
            if options[..index].iter().any(|o| o.name == *name) {
                return Err(Error::new(name.span(), format!("option `{name}` is given twice")));
            }
        }
        Ok(Self(options))
    }

    /// The value of an option.
    pub fn value(&self, name: &str) -> Result<Option<&Expr>> {
        match self.0.iter().find(|o| o.name == name) {
            None => Ok(None),
            Some(One { value: Some(value), .. }) => Ok(Some(value)),
            Some(One { name, .. }) => {
                Err(Error::new(name.span(), format!("option `{name}` needs a value: `{name} = ...`")))
            }
        }
    }

    /// Whether a flag is there.
    pub fn flag(&self, name: &str) -> Result<bool> {
        match self.0.iter().find(|o| o.name == name) {
            None => Ok(false),
            Some(One { value: None, .. }) => Ok(true),
            Some(One { name, .. }) => Err(Error::new(name.span(), format!("option `{name}` takes no value"))),
        }
    }

    /// The path of the runtime's crate.
    pub fn crate_path(&self) -> Result<TokenStream> {
        match self.value("crate")? {
            None => Ok(quote!(::unboxed)),
            Some(value) => match ungrouped(value) {
                Expr::Path(path) if path.qself.is_none() => Ok(path.to_token_stream()),
                other => {
                    let text = "`crate` is a path without quotes: `crate = ::unboxed`";
                    Err(Error::new_spanned(other, text))
                }
            },
        }
    }
}

/// The number that `expr` is, when it is a literal; a constant's is known to the compiler only.
pub fn literal(expr: &Expr) -> Option<u128> {
    match ungrouped(expr) {
        Expr::Lit(lit) => match &lit.lit {
            Lit::Int(int) => int.base10_parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// The text that `expr` is, when it is a literal.
pub fn text(expr: &Expr) -> Option<String> {
    match ungrouped(expr) {
        Expr::Lit(lit) => match &lit.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

/// Looks through parentheses, and the invisible ones that a `macro_rules!` fragment leaves.
fn ungrouped(expr: &Expr) -> &Expr {
    match expr {
        Expr::Group(group) => ungrouped(&group.expr),
        Expr::Paren(paren) => ungrouped(&paren.expr),
        expr => expr,
    }
}

#[cfg(test)]
mod tests {
    use super::{Options, literal};
    use proc_macro2::TokenStream;
    use quote::quote;

    const KNOWN: &[&str] = &["pool", "local", "crate"];

    fn parse(tokens: TokenStream) -> Options {
        Options::parse(tokens, KNOWN).unwrap()
    }

    fn error_of<T>(result: syn::Result<T>) -> String {
        result.err().expect("an error").to_string()
    }

    #[test]
    fn values_and_flags_are_found() {
        let options = parse(quote!(pool = 4, local));
        assert_eq!(options.value("pool").unwrap().and_then(literal), Some(4));
        assert!(options.value("missing").unwrap().is_none());
        assert!(options.flag("local").unwrap());
        assert!(!options.flag("missing").unwrap());
    }

    #[test]
    fn a_trailing_comma_or_nothing_at_all_is_fine() {
        assert!(parse(quote!(local,)).flag("local").unwrap());
        assert!(!parse(quote!()).flag("local").unwrap());
    }

    #[test]
    fn unknown_and_double_options_are_refused() {
        let unknown = error_of(Options::parse(quote!(pol = 4), KNOWN));
        assert_eq!(unknown, "unknown option `pol`; known: `pool`, `local`, `crate`");
        assert!(error_of(Options::parse(quote!(pool = 4, pool = 5), KNOWN)).contains("twice"));
        assert!(Options::parse(quote!(pool 4), KNOWN).is_err());
    }

    #[test]
    fn values_and_flags_are_not_mixed_up() {
        assert!(error_of(parse(quote!(pool)).value("pool")).contains("needs a value"));
        assert!(error_of(parse(quote!(local = true)).flag("local")).contains("takes no value"));
    }

    #[test]
    fn the_crate_is_a_path() {
        assert_eq!(parse(quote!()).crate_path().unwrap().to_string(), quote!(::unboxed).to_string());
        let own = parse(quote!(crate = ::unboxed_core)).crate_path().unwrap();
        assert_eq!(own.to_string(), quote!(::unboxed_core).to_string());
        assert!(error_of(parse(quote!(crate = "unboxed")).crate_path()).contains("without quotes"));
    }

    #[test]
    fn only_literals_are_read() {
        let number = |tokens| literal(&syn::parse2(tokens).unwrap());
        assert_eq!(number(quote!(0)), Some(0));
        assert_eq!(number(quote!((0x40usize))), Some(64));
        assert_eq!(number(quote!(CONNECTIONS)), None);
        assert_eq!(number(quote!(1 - 1)), None);
        assert_eq!(number(quote!("4")), None);
    }
}
