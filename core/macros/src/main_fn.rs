//! `#[main]`.

use crate::options::Options;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ItemFn, Result};

pub fn expand(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let options = Options::parse(options, &["entries", "spares", "crate"])?;
    let item: ItemFn = syn::parse2(item)?;
    let sig = &item.sig;
    if sig.asyncness.is_none() {
        return Err(Error::new_spanned(sig.fn_token, "`#[main]` is for an `async fn`"));
    }
    if !sig.inputs.is_empty() {
        return Err(Error::new_spanned(&sig.inputs, "`main` takes no arguments; use `std::env::args`"));
    }
    if !sig.generics.params.is_empty() {
        return Err(Error::new_spanned(&sig.generics, "`main` cannot be generic"));
    }
    let krate = match options.value("crate")? {
        Some(path) => quote!(#path),
        None => quote!(::unboxed),
    };
    let mut config = quote!(#krate::rt::Config::new());
    if let Some(entries) = options.value("entries")? {
        config = quote!(#config.entries(#entries));
    }
    if let Some(spares) = options.value("spares")? {
        config = quote!(#config.spares(#spares));
    }
    let (attrs, vis, name, output, body) = (&item.attrs, &item.vis, &sig.ident, &sig.output, &item.block);
    Ok(quote! {
        #(#attrs)*
        #vis fn #name() #output {
            #krate::rt::run_main_with(#config, async move #body)
        }
    })
}
