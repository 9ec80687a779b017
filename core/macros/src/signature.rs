//! What a task's function must look like, and the errors that say so.

use syn::{
    Error, FnArg, GenericArgument, Lifetime, PatType, Path, PathArguments, Result, ReturnType, Signature,
    Type, TypeParamBound,
};

/// The parameters of a task's function.
pub struct Parameters {
    /// Those that `spawn` takes.
    pub args: Vec<PatType>,
    /// The last one, when it is `Bytes<'_>`.
    pub bytes: Option<PatType>,
}

/// Checks a task's signature and takes its parameters.
pub fn check(sig: &Signature) -> Result<Parameters> {
    check_head(sig)?;
    let parameters = parameters(sig)?;
    for arg in &parameters.args {
        check_arg(arg)?;
    }
    if let ReturnType::Type(_, ty) = &sig.output {
        check_type(ty, &OUTPUT)?;
    }
    Ok(parameters)
}

fn check_head(sig: &Signature) -> Result<()> {
    if sig.asyncness.is_none() {
        return Err(Error::new_spanned(sig.fn_token, "`#[task]` is for an `async fn`"));
    }
    // Before the generics: a method's lifetimes are not its worst trouble.
    if let Some(receiver) = sig.receiver() {
        return Err(Error::new_spanned(
            receiver,
            "a task is a free function: move it out of the `impl`, and pass what it needs as an argument",
        ));
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

fn parameters(sig: &Signature) -> Result<Parameters> {
    let mut args = Vec::new();
    for input in &sig.inputs {
        if let FnArg::Typed(arg) = input {
            args.push(arg.clone());
        }
    }
    let bytes = args.pop_if(|arg| is_bytes(&arg.ty));
    Ok(Parameters { args, bytes })
}

fn check_arg(arg: &PatType) -> Result<()> {
    if let Some(cfg) = arg.attrs.iter().find(|attr| attr.path().is_ident("cfg")) {
        let text = "a task's parameters cannot be conditional: put the `cfg` on two tasks";
        return Err(Error::new_spanned(cfg, text));
    }
    if is_bytes(&arg.ty) {
        let text = "the task's bytes are its last parameter, and there is one of it";
        return Err(Error::new_spanned(arg, text));
    }
    check_type(&arg.ty, &ARGUMENT)
}

/// Looks through the invisible groups that a `macro_rules!` fragment leaves.
fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        Type::Paren(paren) => ungrouped(&paren.elem),
        ty => ty,
    }
}

/// `Bytes<'_>`, by whatever path.
fn is_bytes(ty: &Type) -> bool {
    let Some(PathArguments::AngleBracketed(arguments)) = bytes_arguments(ty) else { return false };
    let mut arguments = arguments.args.iter();
    matches!((arguments.next(), arguments.next()), (Some(GenericArgument::Lifetime(l)), None) if l.ident == "_")
}

/// `Bytes` with anything but one `'_`: what someone wrote who may have meant the task's bytes.
pub fn looks_like_bytes(ty: &Type) -> bool {
    bytes_arguments(ty).is_some() && !is_bytes(ty)
}

fn bytes_arguments(ty: &Type) -> Option<&PathArguments> {
    let Type::Path(path) = ungrouped(ty) else { return None };
    path.path.segments.last().filter(|segment| segment.ident == "Bytes").map(|segment| &segment.arguments)
}

/// The words for one place of a type.
struct Words {
    impl_trait: &'static str,
    reference: &'static str,
    lifetime: &'static str,
}

const ARGUMENT: Words = Words {
    impl_trait: "a task's storage is one static, so its arguments need one named type each, not `impl Trait`",
    reference: "a task outlives its spawner, so it cannot borrow: pass an owned value, or a `&'static`",
    lifetime: "a task outlives its spawner, so its arguments must be `'static`: pass an owned value, or \
               write `'static`",
};

const OUTPUT: Words = Words {
    impl_trait: "a task's output lies in its block, so it needs one named type, not `impl Trait`",
    reference: "a task's output outlives its body, so it cannot borrow: return an owned value, or a `&'static`",
    lifetime: "a task's output outlives its body, so it must be `'static`: return an owned value, or write \
               `'static`",
};

/// Refuses what a static block cannot hold.
fn check_type(ty: &Type, words: &Words) -> Result<()> {
    match ty {
        Type::ImplTrait(_) => Err(Error::new_spanned(ty, words.impl_trait)),
        Type::Reference(reference) => {
            if !reference.lifetime.as_ref().is_some_and(is_static) {
                return Err(Error::new_spanned(ty, words.reference));
            }
            check_type(&reference.elem, words)
        }
        Type::Path(path) => {
            path.qself.iter().try_for_each(|qself| check_type(&qself.ty, words))?;
            check_path(&path.path, words)
        }
        Type::TraitObject(object) => object.bounds.iter().try_for_each(|bound| match bound {
            TypeParamBound::Lifetime(l) => check_lifetime(l, words),
            // `for<'a>` brings lifetimes of its own.
            TypeParamBound::Trait(bound) if bound.lifetimes.is_none() => check_path(&bound.path, words),
            _ => Ok(()),
        }),
        Type::Tuple(tuple) => tuple.elems.iter().try_for_each(|elem| check_type(elem, words)),
        Type::Array(array) => check_type(&array.elem, words),
        Type::Slice(slice) => check_type(&slice.elem, words),
        Type::Ptr(pointer) => check_type(&pointer.elem, words),
        Type::Group(group) => check_type(&group.elem, words),
        Type::Paren(paren) => check_type(&paren.elem, words),
        // Function pointers bring lifetimes of their own; the rest names none.
        _ => Ok(()),
    }
}

fn check_path(path: &Path, words: &Words) -> Result<()> {
    path.segments.iter().try_for_each(|segment| {
        let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return Ok(()) };
        arguments.args.iter().try_for_each(|argument| match argument {
            GenericArgument::Lifetime(l) => check_lifetime(l, words),
            GenericArgument::Type(inner) => check_type(inner, words),
            GenericArgument::AssocType(inner) => check_type(&inner.ty, words),
            _ => Ok(()),
        })
    })
}

fn check_lifetime(lifetime: &Lifetime, words: &Words) -> Result<()> {
    if is_static(lifetime) { Ok(()) } else { Err(Error::new_spanned(lifetime, words.lifetime)) }
}

fn is_static(lifetime: &Lifetime) -> bool {
    lifetime.ident == "static"
}

#[cfg(test)]
mod tests {
    use super::{check, is_bytes, looks_like_bytes};
    use proc_macro2::TokenStream;
    use quote::quote;
    use syn::{ItemFn, Type};

    fn error_of(item: TokenStream) -> Option<String> {
        let item: ItemFn = syn::parse2(item).unwrap();
        check(&item.sig).err().map(|e| e.to_string())
    }

    fn refused(item: TokenStream, word: &str) {
        let error = error_of(item).unwrap_or_else(|| panic!("accepted; expected: {word}"));
        assert!(error.contains(word), "{error:?} does not say {word:?}");
    }

    #[test]
    fn what_owns_or_is_static_is_accepted() {
        for item in [
            quote!(
                async fn f() {}
            ),
            quote!(
                async fn f(a: u8, (b, c): (u8, String), _: [u8; 4]) -> u8 {}
            ),
            quote!(
                async fn f(a: &'static str, b: Box<dyn Fn(&u8) + 'static>, c: fn(&u8) -> &u8) {}
            ),
            quote!(
                async fn f(a: Box<dyn for<'a> Visit<'a>>, b: Cow<'static, str>, c: *const u8) -> ! {}
            ),
            quote!(
                async fn f(a: bytes::Bytes) -> Result<(), Box<dyn Error>> {}
            ),
        ] {
            let text = item.to_string();
            assert_eq!(error_of(item), None, "{text}");
        }
    }

    #[test]
    fn borrows_are_found_however_deep() {
        refused(
            quote!(
                async fn f(a: &u8) {}
            ),
            "cannot borrow",
        );
        refused(
            quote!(
                async fn f(a: &mut u8) {}
            ),
            "cannot borrow",
        );
        refused(
            quote!(
                async fn f(a: Vec<(u8, [&u8; 2])>) {}
            ),
            "cannot borrow",
        );
        refused(
            quote!(
                async fn f(a: &'static [&u8]) {}
            ),
            "cannot borrow",
        );
        refused(
            quote!(
                async fn f(a: Cow<'_, str>) {}
            ),
            "must be `'static`",
        );
        refused(
            quote!(
                async fn f(a: Box<dyn Visit + '_>) {}
            ),
            "must be `'static`",
        );
        refused(
            quote!(
                async fn f(a: Box<dyn Iterator<Item = Cow<'_, str>>>) {}
            ),
            "must be `'static`",
        );
        refused(
            quote!(
                async fn f(a: &'static str) -> &str {}
            ),
            "output outlives",
        );
        refused(
            quote!(
                async fn f(a: Bytes<'_>) -> Part<'_> {}
            ),
            "output outlives",
        );
    }

    #[test]
    fn unnamed_types_are_refused() {
        refused(
            quote!(
                async fn f(a: Option<impl Debug>) {}
            ),
            "not `impl Trait`",
        );
        refused(
            quote!(
                async fn f() -> impl Debug {}
            ),
            "not `impl Trait`",
        );
    }

    #[test]
    fn functions_that_cannot_be_tasks_are_refused() {
        refused(
            quote!(
                fn f() {}
            ),
            "async fn",
        );
        refused(
            quote!(
                async fn f<T>() {}
            ),
            "cannot be generic",
        );
        refused(
            quote!(
                async fn f<'a>(a: &'a u8) {}
            ),
            "cannot be generic",
        );
        refused(
            quote!(
                async fn f<const N: usize>() {}
            ),
            "cannot be generic",
        );
        refused(
            quote!(
                async fn f<'a>(&'a self) {}
            ),
            "free function",
        );
        refused(
            quote!(
                async unsafe fn f() {}
            ),
            "unsafe fn",
        );
        refused(
            quote!(
                async extern "C" fn f() {}
            ),
            "ABI",
        );
        refused(
            quote!(
                async fn f(a: u8, ...) {}
            ),
            "variadic",
        );
        refused(
            quote!(
                async fn f(#[cfg(unix)] a: u8) {}
            ),
            "conditional",
        );
    }

    #[test]
    fn bytes_are_the_last_parameter_and_elided() {
        let parse = |tokens| syn::parse2::<Type>(tokens).unwrap();
        assert!(is_bytes(&parse(quote!(Bytes<'_>))));
        assert!(is_bytes(&parse(quote!(::unboxed::task::Bytes<'_>))));
        for other in [quote!(Bytes), quote!(Bytes<'static>), quote!(Bytes<'_, u8>)] {
            let other = parse(other);
            assert!(!is_bytes(&other) && looks_like_bytes(&other));
        }
        assert!(!looks_like_bytes(&parse(quote!(Bytes::Part<'_>))));
        refused(
            quote!(
                async fn f(a: Bytes<'_>, b: u8) {}
            ),
            "last parameter",
        );
        refused(
            quote!(
                async fn f(a: Bytes<'_>, b: Bytes<'_>) {}
            ),
            "last parameter",
        );
    }
}
