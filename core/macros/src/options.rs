//! The options in the attributes' parentheses: `name`, or `name = expression`.

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Ident, Result, Token};

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
}

#[cfg(test)]
mod tests {
    use super::Options;
    use quote::quote;

    #[test]
    fn values_and_flags_are_found() {
        let options = Options::parse(quote!(pool = 4, local), &["pool", "local"]).unwrap();
        assert!(options.value("pool").unwrap().is_some());
        assert!(options.flag("local").unwrap());
        assert!(!options.flag("missing").unwrap());
    }

    #[test]
    fn unknown_and_double_options_are_refused() {
        assert!(Options::parse(quote!(pol = 4), &["pool"]).is_err());
        assert!(Options::parse(quote!(pool = 4, pool = 5), &["pool"]).is_err());
    }
}
