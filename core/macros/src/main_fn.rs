//! `#[main]`.

use crate::options::Options;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{AttrStyle, Error, ItemFn, Result, Signature, Visibility};

const OPTIONS: &[&str] = &["workers", "entries", "spares", "crate"];

pub fn expand(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let options = Options::parse(options, OPTIONS)?;
    let item: ItemFn = syn::parse2(item)?;
    check_signature(&item.sig)?;
    let krate = options.crate_path()?;
    let mut config = quote!(#krate::rt::Config::new());
    if let Some(entries) = options.value("entries")? {
        config = quote!(#config.entries(#entries));
    }
    if let Some(spares) = options.value("spares")? {
        config = quote!(#config.spares(#spares));
    }
    // The storage has room for so many workers, and is the process's main runtime's.
    let workers = options.value("workers")?;
    let count = workers.map(|count| quote!(#count)).unwrap_or(quote!(1usize));
    let (vis, name, output) = (&item.vis, &item.sig.ident, &item.sig.output);
    // The user's function stays whole, so that its output's type reaches into its body.
    let (outer, inner) = item.attrs.iter().cloned().partition(|a| matches!(a.style, AttrStyle::Outer));
    let outer: Vec<_> = outer;
    let body = ItemFn { attrs: inner, vis: Visibility::Inherited, ..item.clone() };
    Ok(quote! {
        #(#outer)*
        #vis fn #name() #output {
            #[allow(clippy::unused_async, clippy::future_not_send, clippy::large_futures)]
            #body
            static __UNBOXED_RUNTIME: #krate::rt::RuntimeCell<1024, { #count }> = #krate::rt::RuntimeCell::new();
            #krate::rt::run_main(&__UNBOXED_RUNTIME, #config.workers(#count), #name())
        }
    })
}

fn check_signature(sig: &Signature) -> Result<()> {
    if sig.asyncness.is_none() {
        return Err(Error::new_spanned(sig.fn_token, "`#[main]` is for an `async fn`"));
    }
    if !sig.generics.params.is_empty() || sig.generics.where_clause.is_some() {
        return Err(Error::new_spanned(&sig.generics, "`main` cannot be generic"));
    }
    if let Some(unsafety) = &sig.unsafety {
        return Err(Error::new_spanned(unsafety, "`main` cannot be an unsafe fn"));
    }
    if let Some(abi) = &sig.abi {
        return Err(Error::new_spanned(abi, "`main` cannot have an ABI of its own"));
    }
    if !sig.inputs.is_empty() {
        return Err(Error::new_spanned(&sig.inputs, "`main` takes no arguments; use `std::env::args`"));
    }
    Ok(())
}
