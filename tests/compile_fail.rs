//! What must not compile, with errors that explain.

#[test]
fn what_must_not_compile_does_not() {
    trybuild::TestCases::new().compile_fail("compile_fail/*.rs");
}
