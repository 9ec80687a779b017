//! The check behind `max_size`: a constant that panics with the size, the task and the limit.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Expr;
use syn::spanned::Spanned;

/// A check that `size`, a constant expression, is at most `max`.
///
/// A panic in a constant takes one string, so the size is written in digits before the rest of the message.
pub fn check(task: &str, size: &TokenStream, max: &Expr) -> TokenStream {
    let limit = max.to_token_stream();
    let rest = format!(
        " bytes: the future of task `{task}` is larger than its `max_size = {limit}`; keep less across \
         `.await`, or raise the limit"
    );
    let here = Span::call_site().located_at(max.span());
    let message = quote_spanned! {here=> {
        const REST: &[u8] = #rest.as_bytes();
        const DIGITS: usize = 20;
        let mut text = [0u8; DIGITS + REST.len()];
        text.split_at_mut(DIGITS).1.copy_from_slice(REST);
        let (mut at, mut left) = (DIGITS, __UNBOXED_SIZE);
        while left > 0 {
            at -= 1;
            text[at] = b'0' + (left % 10) as u8;
            left /= 10;
        }
        match ::core::str::from_utf8(text.split_at(at).1) {
            ::core::result::Result::Ok(text) => __unboxed_refuse(text),
            ::core::result::Result::Err(_) => __unboxed_refuse(#rest),
        }
    }};
    quote! {
        const _: () = {
            const __UNBOXED_SIZE: usize = #size;
            const __UNBOXED_LIMIT: usize = #max;
            #[track_caller]
            const fn __unboxed_refuse(text: &str) -> ! {
                ::core::panic!("{}", text)
            }
            if __UNBOXED_SIZE > __UNBOXED_LIMIT #message
        };
    }
}
