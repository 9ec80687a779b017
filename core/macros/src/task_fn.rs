//! `#[task]`.

use crate::options::Options;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{
    Error, Expr, FnArg, GenericArgument, Ident, ItemFn, Pat, PatType, PathArguments, Result, ReturnType,
    Signature, Type,
};

const OPTIONS: &[&str] = &["pool", "ops", "bytes", "max_size", "local", "crate"];

pub fn expand(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let options = Options::parse(options, OPTIONS)?;
    let item: ItemFn = syn::parse2(item)?;
    check_signature(&item.sig)?;
    let (args, bytes_arg) = arguments(&item.sig)?;
    if let Some(pool) = options.value("pool")?.filter(|pool| is_zero(pool)) {
        return Err(Error::new_spanned(pool, "a pool needs at least one block"));
    }
    let bytes = options.value("bytes")?;
    match (&bytes_arg, bytes) {
        (Some(arg), None) => {
            let text = "a `Bytes<'_>` parameter needs `bytes = N` in `#[task(...)]`";
            return Err(Error::new_spanned(arg, text));
        }
        (None, Some(given)) if !is_zero(given) => {
            let text = "`bytes = N` needs a last parameter of type `Bytes<'_>` that receives them";
            return Err(Error::new_spanned(given, text));
        }
        _ => {}
    }
    generate(&options, &item, &args, bytes_arg.as_ref())
}

fn check_signature(sig: &Signature) -> Result<()> {
    if sig.asyncness.is_none() {
        return Err(Error::new_spanned(sig.fn_token, "`#[task]` is for an `async fn`"));
    }
    if !sig.generics.params.is_empty() || sig.generics.where_clause.is_some() {
        return Err(Error::new_spanned(
            &sig.generics,
            "a task's storage is one static, so its function cannot be generic: write one task for each \
             type, and let them call a generic async fn",
        ));
    }
    if let Some(unsafety) = &sig.unsafety {
        let text = "a task cannot be an unsafe fn: `spawn` would be a safe call of it";
        return Err(Error::new_spanned(unsafety, text));
    }
    if let Some(abi) = &sig.abi {
        return Err(Error::new_spanned(abi, "a task cannot have an ABI of its own"));
    }
    if let Some(variadic) = &sig.variadic {
        return Err(Error::new_spanned(variadic, "a task cannot be variadic"));
    }
    Ok(())
}

fn arguments(sig: &Signature) -> Result<(Vec<PatType>, Option<PatType>)> {
    let mut args = Vec::new();
    for input in &sig.inputs {
        match input {
            FnArg::Receiver(receiver) => {
                let text = "a task is a free function: pass what it needs as an argument";
                return Err(Error::new_spanned(receiver, text));
            }
            FnArg::Typed(arg) => args.push(arg.clone()),
        }
    }
    let bytes_arg = args.pop_if(|arg| is_bytes(&arg.ty));
    for arg in &args {
        check_type(&arg.ty)?;
    }
    Ok((args, bytes_arg))
}

/// `Bytes<'_>`, by whatever path.
fn is_bytes(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path.segments.last().is_some_and(|segment| {
        segment.ident == "Bytes"
            && matches!(&segment.arguments, PathArguments::AngleBracketed(arguments)
                if matches!(arguments.args.first(), Some(GenericArgument::Lifetime(l)) if l.ident == "_"))
    })
}

fn is_zero(expr: &Expr) -> bool {
    expr.to_token_stream().to_string() == "0"
}

/// What a static block cannot hold.
fn check_type(ty: &Type) -> Result<()> {
    match ty {
        Type::ImplTrait(_) => Err(Error::new_spanned(
            ty,
            "a task's storage is one static, so its arguments need one named type each, not `impl Trait`",
        )),
        Type::Reference(reference) if reference.lifetime.as_ref().is_none_or(|l| l.ident != "static") => {
            Err(Error::new_spanned(
                ty,
                "a task outlives its spawner, so it cannot borrow: pass an owned value, or a `&'static`",
            ))
        }
        Type::Path(path) => path.path.segments.iter().try_for_each(|segment| {
            let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return Ok(()) };
            arguments.args.iter().try_for_each(|argument| match argument {
                GenericArgument::Lifetime(l) if l.ident != "static" => Err(Error::new_spanned(
                    ty,
                    "a task outlives its spawner, so its arguments must be `'static`",
                )),
                GenericArgument::Type(inner) => check_type(inner),
                _ => Ok(()),
            })
        }),
        Type::Tuple(tuple) => tuple.elems.iter().try_for_each(check_type),
        _ => Ok(()),
    }
}

fn argument_name(index: usize, pattern: &Pat) -> Ident {
    match pattern {
        Pat::Ident(ident) => ident.ident.clone(),
        _ => Ident::new(&format!("argument_{index}"), Span::call_site()),
    }
}

fn generate(
    options: &Options,
    item: &ItemFn,
    args: &[PatType],
    bytes_arg: Option<&PatType>,
) -> Result<TokenStream> {
    let krate = match options.value("crate")? {
        Some(path) => quote!(#path),
        None => quote!(::unboxed),
    };
    let number = |name: &str, default: TokenStream| -> Result<TokenStream> {
        Ok(options.value(name)?.map_or(default, ToTokens::to_token_stream))
    };
    let pool = number("pool", quote!(1))?;
    let ops = number("ops", quote!(2))?;
    let bytes = number("bytes", quote!(0))?;
    let local = options.flag("local")?;

    let (vis, name, body) = (&item.vis, &item.sig.ident, &item.block);
    let (docs, rest): (Vec<_>, Vec<_>) =
        item.attrs.iter().partition(|a| a.path().is_ident("doc") || a.path().is_ident("cfg"));
    let output = match &item.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => quote!(#ty),
    };
    let patterns = args.iter().map(|arg| &arg.pat);
    let types: Vec<_> = args.iter().map(|arg| &arg.ty).collect();
    let names: Vec<_> = args.iter().enumerate().map(|(i, a)| argument_name(i, &a.pat)).collect();
    let tuple = quote!((#(#types,)*));
    // Hygienic, so that a body cannot name it: the bytes must not outlive their lender (BYTES-4).
    let token = Ident::new("token", Span::mixed_site());
    let lend = bytes_arg.map(|arg| {
        let (pattern, ty) = (&arg.pat, &arg.ty);
        quote!(let #pattern: #ty = #token.lend();)
    });
    let text = name.to_string();
    let require = if local { quote!(require_any) } else { quote!(require_send) };
    let require = quote_spanned!(name.span()=> #krate::task::support::#require);
    let limit = options.value("max_size")?.map(|max| {
        let message = format!(
            "task `{text}`: its future is larger than its max_size; keep less across `.await`, or raise it"
        );
        let size = quote!(#krate::task::support::future_size::<__UnboxedArgs, _>(__unboxed_body));
        quote_spanned!(max.span()=> const _: () = ::core::assert!(#size <= #max, #message);)
    });
    let type_docs = if docs.is_empty() {
        let line = format!("The task `{text}`: start it with [`spawn`]({text}::spawn).");
        quote!(#[doc = #line])
    } else {
        quote!(#(#docs)*)
    };
    let size = quote! {
        #krate::task::support::blocks_size::<#tuple, _, { #pool }, { #ops }, { #bytes }>(
            __unboxed_body,
        )
    };
    Ok(quote! {
        #type_docs
        #[allow(non_camel_case_types)]
        #vis struct #name { never: ::core::convert::Infallible }

        #[allow(dead_code, clippy::unused_async)]
        impl #name {
            fn __unboxed_pool() -> #krate::task::support::Pool<#tuple, #output> {
                type __UnboxedArgs = #tuple;
                #(#rest)*
                #[allow(unused_mut, unused_variables)]
                async fn __unboxed_body(
                    __unboxed_args: __UnboxedArgs,
                    #token: #krate::task::support::BytesToken,
                ) -> #output {
                    let (#(#patterns,)*) = __unboxed_args;
                    let mut #token = #token;
                    #lend
                    #body
                }
                const _: () = #krate::task::support::check_limits::<{ #pool }, { #ops }, { #bytes }>();
                const _: () = #require::<__UnboxedArgs, _>(__unboxed_body);
                #limit
                static POOL: #krate::task::support::PoolStorage<{ #size }> =
                    #krate::task::support::PoolStorage::new(#text, #local);
                // SAFETY: SUPPORT-1: the storage is this function's own, and its size came from the same
                // function with the same numbers.
                #[allow(unsafe_code)]
                unsafe {
                    #krate::task::support::pool_of::<#tuple, _, { #pool }, { #ops }, { #bytes }, { #size }>(
                        &POOL,
                        __unboxed_body,
                    )
                }
            }

            /// Starts the task on this thread's runtime.
            ///
            /// # Errors
            /// With the arguments, when all blocks are in use or this thread is not inside a runtime.
            #vis fn spawn(
                #(#names: #types),*
            ) -> ::core::result::Result<
                #krate::task::JoinHandle<#output>,
                #krate::task::SpawnError<#tuple>,
            > {
                Self::__unboxed_pool().spawn((#(#names,)*))
            }

            /// Claims a block without waiting.
            ///
            /// # Errors
            /// When all blocks are in use.
            #vis fn try_reserve() -> ::core::result::Result<
                #krate::task::Reservation<#tuple, #output>,
                #krate::task::ReserveError,
            > {
                Self::__unboxed_pool().try_reserve()
            }

            /// Waits for a block.
            #vis fn reserve() -> #krate::task::Reserve<#tuple, #output> {
                Self::__unboxed_pool().reserve()
            }

            /// What the pool uses.
            #vis fn memory() -> #krate::task::PoolMemory {
                Self::__unboxed_pool().memory()
            }
        }
    })
}
