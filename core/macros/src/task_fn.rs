//! `#[task]`.
//!
//! A function without bytes stays whole, beside a start function that calls it. One with bytes is its own start
//! function: its frame must hold the token that lends them, and a frame around it would hold the arguments a
//! second time. It becomes a plain function that returns an async block, as the frame of an async function holds its
//! parameters twice, too: as they came, and as the body's variables.

use crate::max_size;
use crate::options::{Options, literal, text};
use crate::signature::{self, Parameters};
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, Expr, Ident, Index, ItemFn, Pat, PatType, Result, ReturnType, Stmt, Type, Visibility,
    parse_quote, parse_quote_spanned,
};

const OPTIONS: &[&str] = &["pool", "ops", "bytes", "max_size", "local", "lane", "crate"];

/// `Lane`'s, as the option says them.
const LANES: [(&str, &str); 3] = [("urgent", "Urgent"), ("normal", "Normal"), ("background", "Background")];

/// What `check_limits` enforces too; said here with the span of a literal.
const OPS_MAX: u128 = 64;

pub fn expand(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let options = Options::parse(options, OPTIONS)?;
    let item: ItemFn = syn::parse2(item)?;
    let parameters = signature::check(&item.sig)?;
    check_numbers(&options)?;
    lane(&options)?;
    check_bytes(&options, &parameters)?;
    Task::new(&options, item, parameters)?.generate(&options)
}

fn check_numbers(options: &Options) -> Result<()> {
    if let Some(pool) = options.value("pool")?.filter(|pool| literal(pool) == Some(0)) {
        return Err(Error::new_spanned(pool, "a pool needs at least one block"));
    }
    if let Some(ops) = options.value("ops")?.filter(|ops| literal(ops).is_some_and(|n| n > OPS_MAX)) {
        let text = "a task has at most 64 slots of its own; beyond them it takes the worker's spares";
        return Err(Error::new_spanned(ops, text));
    }
    Ok(())
}

fn lane(options: &Options) -> Result<Ident> {
    let Some(value) = options.value("lane")? else { return Ok(Ident::new("Normal", Span::call_site())) };
    let known = text(value).and_then(|said| LANES.into_iter().find(|(name, _)| *name == said));
    match known {
        Some((_, variant)) => Ok(Ident::new(variant, Span::call_site())),
        None => {
            let text = r#"`lane` is "urgent", "normal" or "background": `lane = "urgent"`"#;
            Err(Error::new_spanned(value, text))
        }
    }
}

fn check_bytes(options: &Options, parameters: &Parameters) -> Result<()> {
    let given = options.value("bytes")?.filter(|bytes| literal(bytes) != Some(0));
    match (&parameters.bytes, given) {
        (Some(arg), None) => {
            let text = "a `Bytes<'_>` parameter needs `bytes = N` in `#[task(...)]`";
            Err(Error::new_spanned(arg, text))
        }
        (None, Some(given)) => match parameters.args.last() {
            Some(last) if signature::looks_like_bytes(&last.ty) => {
                let text = "the parameter that receives the task's bytes is written `Bytes<'_>`";
                Err(Error::new_spanned(&last.ty, text))
            }
            _ => {
                let text = "`bytes = N` needs a last parameter of type `Bytes<'_>` that receives them";
                Err(Error::new_spanned(given, text))
            }
        },
        _ => Ok(()),
    }
}

struct Task {
    krate: TokenStream,
    item: ItemFn,
    args: Vec<PatType>,
    bytes: Option<PatType>,
    output: TokenStream,
    local: bool,
    on_type: Vec<Attribute>,
    on_both: Vec<Attribute>,
}

impl Task {
    fn new(options: &Options, mut item: ItemFn, Parameters { args, bytes }: Parameters) -> Result<Self> {
        let krate = options.crate_path()?;
        // `!` is no type that a handle could name; its values are Infallible's.
        if let ReturnType::Type(_, ty) = &mut item.sig.output
            && let Type::Never(never) = &**ty
        {
            *ty = parse_quote_spanned!(never.span()=> ::core::convert::Infallible);
        }
        let output = match &item.sig.output {
            ReturnType::Default => quote!(()),
            ReturnType::Type(_, ty) => quote!(#ty),
        };
        let is = |attr: &Attribute, names: &[&str]| names.iter().any(|name| attr.path().is_ident(name));
        let on_type = item.attrs.extract_if(.., |a| is(a, &["doc", "deprecated"])).collect();
        let on_both = item.attrs.extract_if(.., |a| is(a, &["cfg"])).collect();
        let local = options.flag("local")?;
        Ok(Self { krate, item, args, bytes, output, local, on_type, on_both })
    }

    fn types(&self) -> TokenStream {
        let types = self.args.iter().map(|arg| &arg.ty);
        quote!((#(#types,)*))
    }

    /// The user's function and, where it is not that itself, the one that builds the future from the arguments'
    /// tuple and the token; and the latter's name.
    fn functions(&self) -> (TokenStream, Ident) {
        let (krate, output) = (&self.krate, &self.output);
        let mut body = self.item.clone();
        body.vis = Visibility::Inherited;
        // `require_send` asks this of those that must be.
        body.attrs.insert(0, parse_quote!(#[allow(clippy::unused_async, clippy::future_not_send)]));
        let name = body.sig.ident.clone();
        // Hygienic, so that the body cannot name them: the bytes must not outlive their lender (BYTES-4).
        let args = Ident::new("args", Span::mixed_site());
        // Located at the parameter, where the compiler then sees what tries to.
        let at = self.bytes.as_ref().map_or_else(Span::call_site, |bytes| bytes.pat.span());
        let token = Ident::new("token", Span::mixed_site().located_at(at));
        let parameters = quote!(#args: __UnboxedArgs, #token: #krate::task::support::BytesToken);
        let Some(bytes) = &self.bytes else {
            let start = format_ident!("__unboxed_start");
            let index = (0..self.args.len()).map(Index::from);
            let function = quote! {
                #body
                #[allow(unused_variables, clippy::future_not_send)]
                fn #start(#parameters) -> impl ::core::future::Future<Output = #output> {
                    #name(#(#args.#index),*)
                }
            };
            return (function, start);
        };
        body.sig.inputs = parse_quote!(#parameters);
        body.sig.asyncness = None;
        body.sig.output = parse_quote!(-> impl ::core::future::Future<Output = #output>);
        let (mut kept, mut taken_apart): (Vec<Stmt>, Vec<Stmt>) = (Vec::new(), Vec::new());
        let mut names = Vec::new();
        for (number, PatType { attrs, pat, .. }) in self.args.iter().enumerate() {
            let index = Index::from(number);
            if let Some(name) = plain_name(pat) {
                kept.push(parse_quote!(#(#attrs)* let #pat = #args.#index;));
                names.push(name.clone());
            } else {
                let whole = Ident::new(&format!("argument_{number}"), Span::mixed_site());
                kept.push(parse_quote!(#[allow(unused_mut)] let mut #whole = #args.#index;));
                taken_apart.push(parse_quote!(#(#attrs)* let #pat = #whole;));
                names.push(whole);
            }
        }
        // What is only named is held as well, until the task ends. An async function drops its last argument first.
        let held: Vec<Stmt> = names.iter().rev().map(|name| parse_quote!(_ = &#name;)).collect();
        let PatType { attrs, pat, ty, .. } = bytes;
        let here = Span::call_site().located_at(at);
        let lend = quote_spanned!(here=> #(#attrs)* let #pat: #ty = #token.lend(););
        // The user's block stays one, with its own edition's rules for what its last expression borrows.
        let block = &body.block;
        // An async block is not told its output, to which an async function's last expression is coerced; a `return` is.
        let early = Ident::new("early", Span::mixed_site());
        let frame = quote_spanned!(here=> async move {
            if let ::core::option::Option::Some(#early) = ::core::option::Option::None::<#output> {
                return #early;
            }
            #(#held)*
            #(#taken_apart)*
            #lend
            #[allow(unused_braces)]
            #block
        });
        body.block = parse_quote!({
            #(#kept)*
            let mut #token = #token;
            #frame
        });
        (quote!(#body), name)
    }

    fn documentation(&self) -> TokenStream {
        let on_type = &self.on_type;
        let name = self.item.sig.ident.unraw();
        let line = format!("The task `{name}`: start it with [`spawn`](Self::spawn).");
        let own = on_type.iter().any(|attr| attr.path().is_ident("doc"));
        let line = (!own).then(|| quote!(#[doc = #line]));
        quote!(#(#on_type)* #line)
    }

    fn generate(&self, options: &Options) -> Result<TokenStream> {
        let Self { krate, output, local, on_both, .. } = self;
        let support = quote!(#krate::task::support);
        let (vis, name) = (&self.item.vis, &self.item.sig.ident);
        let text = name.unraw().to_string();
        let lane = lane(options)?;
        let (types, documentation) = (self.types(), self.documentation());
        let (functions, start) = self.functions();

        let blocks = number("__UNBOXED_BLOCKS", options.value("pool")?, 1);
        let ops = number("__UNBOXED_OPS", options.value("ops")?, 2);
        let bytes = number("__UNBOXED_BYTES", options.value("bytes")?, 0);
        let numbers = quote!(__UNBOXED_BLOCKS, __UNBOXED_OPS, __UNBOXED_BYTES);
        let require = Ident::new(if *local { "require_any" } else { "require_send" }, Span::call_site());
        // The compiler points at the argument: the function's name, in code that is still the expansion's.
        let here = Span::call_site().located_at(name.span());
        let mut named = start.clone();
        named.set_span(here);
        let require = quote_spanned!(here=> const _: () = #support::#require::<__UnboxedArgs, _>(#named););
        let limit = options.value("max_size")?.map(|max| {
            let size = quote!(#support::future_size::<__UnboxedArgs, _>(#start));
            max_size::check(&text, &size, max)
        });
        let deprecated = self.on_type.iter().any(|attr| attr.path().is_ident("deprecated"));
        let deprecated = deprecated.then(|| quote!(#[allow(deprecated)]));
        let methods = self.methods(&types);
        Ok(quote! {
            #documentation
            #(#on_both)*
            #[allow(non_camel_case_types, missing_debug_implementations)]
            #vis struct #name { never: ::core::convert::Infallible }

            #(#on_both)*
            #deprecated
            impl #name {
                fn __unboxed_pool() -> #support::Pool<#types, #output> {
                    type __UnboxedArgs = #types;
                    #functions
                    #blocks
                    #ops
                    #bytes
                    const _: () = #support::check_limits::<#numbers>();
                    #require
                    #limit
                    const __UNBOXED_SIZE: usize = #support::blocks_size::<__UnboxedArgs, _, #numbers>(#start);
                    static __UNBOXED_POOL: #support::PoolStorage<__UNBOXED_SIZE> =
                        #support::PoolStorage::new();
                    // SAFETY: SUPPORT-1: the storage is this function's own, and its size came from the same
                    // function with the same numbers.
                    unsafe {
                        #support::pool_of::<__UnboxedArgs, _, #numbers, __UNBOXED_SIZE>(
                            &__UNBOXED_POOL,
                            #text,
                            #local,
                            #support::Lane::#lane,
                            #start,
                        )
                    }
                }

                #methods
            }
        })
    }

    fn methods(&self, types: &TokenStream) -> TokenStream {
        let Self { krate, output, args, local, .. } = self;
        let vis = &self.item.vis;
        let names: Vec<_> = args.iter().enumerate().map(|(i, arg)| argument_name(i, &arg.pat)).collect();
        let arg_types: Vec<_> = args.iter().map(|arg| &arg.ty).collect();
        let target = Ident::new("remote", Span::mixed_site());
        let spawn_on = (!local).then(|| {
            quote! {
                /// Starts the task on another runtime, from any thread.
                ///
                /// # Errors
                /// With the arguments, when all blocks are in use or that runtime is not open.
                #[allow(dead_code, clippy::too_many_arguments)]
                #vis fn spawn_on(
                    #target: &#krate::exec::Remote,
                    #(#names: #arg_types),*
                ) -> ::core::result::Result<
                    #krate::task::JoinHandle<#output>,
                    #krate::task::SpawnError<#types>,
                > {
                    Self::__unboxed_pool().spawn_on(#target, (#(#names,)*))
                }
            }
        });
        quote! {
            #spawn_on

            /// Starts the task on this thread's runtime.
            ///
            /// # Errors
            /// With the arguments, when all blocks are in use or this thread is not inside a runtime.
            #[allow(dead_code)]
            #vis fn spawn(
                #(#names: #arg_types),*
            ) -> ::core::result::Result<
                #krate::task::JoinHandle<#output>,
                #krate::task::SpawnError<#types>,
            > {
                Self::__unboxed_pool().spawn((#(#names,)*))
            }

            /// Claims a block without waiting.
            ///
            /// # Errors
            /// When all blocks are in use.
            #[allow(dead_code)]
            #vis fn try_reserve() -> ::core::result::Result<
                #krate::task::Reservation<#types, #output>,
                #krate::task::ReserveError,
            > {
                Self::__unboxed_pool().try_reserve()
            }

            /// Waits for a block.
            #[allow(dead_code)]
            #vis fn reserve() -> #krate::task::Reserve<#types, #output> {
                Self::__unboxed_pool().reserve()
            }

            /// What the pool uses.
            #[allow(dead_code)]
            #vis fn memory() -> #krate::task::PoolMemory {
                Self::__unboxed_pool().memory()
            }
        }
    }
}

/// A constant for one of the numbers, so that each is evaluated once, and a wrong type is an error at its value.
fn number(name: &str, value: Option<&Expr>, default: usize) -> TokenStream {
    let name = Ident::new(name, Span::call_site());
    match value {
        Some(value) => quote!(const #name: usize = #value;),
        None => quote!(const #name: usize = #default;),
    }
}

/// The variable of a pattern that is nothing else.
fn plain_name(pattern: &Pat) -> Option<&Ident> {
    match pattern {
        Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => Some(&pattern.ident),
        _ => None,
    }
}

/// What `spawn` calls an argument: as the function does, where that is a name.
fn argument_name(index: usize, pattern: &Pat) -> Ident {
    match pattern {
        Pat::Ident(ident) => ident.ident.clone(),
        // Hygienic, so that it is not the name of another argument.
        _ => Ident::new(&format!("argument_{index}"), Span::mixed_site()),
    }
}
