//! Redirects calls of functions that only call another one with their own arguments, such as `fn
//! square(a: Fe) -> Fe { return mul(a, a); }`, to that other one. So calls of both can share a copy
//! of the callee.

use naga::{Block, Expression, Function, Handle, Module, Statement};

/// The target of a function's calls, and the arguments that are passed on, in the callee's order.
type Forward = Option<(Handle<Function>, Vec<u32>)>;

/// Redirects every call of a function that forwards.
pub(super) fn forward(module: &mut Module) {
    let handles: Vec<Handle<Function>> =
        module.functions.iter().map(|(handle, _)| handle).collect();
    let mut forwards: Vec<Forward> = Vec::with_capacity(handles.len());
    // A function stands behind the functions that it calls.
    for handle in handles {
        let function = module.functions.get_mut(handle);
        redirect(function, &forwards);
        forwards.push(forwards_to(function));
    }
    redirect(&mut module.entry_points[0].function, &forwards);
}

/// The target of a function that does nothing but forward.
fn forwards_to(function: &Function) -> Forward {
    let own = |&argument: &Handle<Expression>| match function.expressions[argument] {
        Expression::FunctionArgument(i) => Some(i),
        _ => None,
    };
    let Statement::Call { function: callee, arguments, result } = function.body.first()? else {
        return None;
    };
    let returned = match &function.body[1..] {
        [] | [Statement::Return { value: None }] => result.is_none(),
        [Statement::Return { value }] => value.is_some() && value == result,
        _ => false,
    };
    let arguments = arguments.iter().map(own).collect::<Option<_>>()?;
    returned.then_some((*callee, arguments))
}

fn redirect(function: &mut Function, forwards: &[Forward]) {
    let mut results = Vec::new();
    redirect_block(&mut function.body, forwards, &mut results);
    for (result, callee) in results {
        *function.expressions.get_mut(result) = Expression::CallResult(callee);
    }
}

fn redirect_block(
    block: &mut Block,
    forwards: &[Forward],
    results: &mut Vec<(Handle<Expression>, Handle<Function>)>,
) {
    for statement in block.iter_mut() {
        match statement {
            Statement::Call { function, arguments, result } => {
                if let Some((callee, passed)) = &forwards[function.index()] {
                    *function = *callee;
                    *arguments = passed.iter().map(|&i| arguments[i as usize]).collect();
                    results.extend(result.map(|result| (result, *callee)));
                }
            }
            Statement::Block(inner) => redirect_block(inner, forwards, results),
            Statement::If { accept, reject, .. } => {
                redirect_block(accept, forwards, results);
                redirect_block(reject, forwards, results);
            }
            Statement::Switch { cases, .. } => {
                cases.iter_mut().for_each(|c| redirect_block(&mut c.body, forwards, results));
            }
            Statement::Loop { body, continuing, .. } => {
                redirect_block(body, forwards, results);
                redirect_block(continuing, forwards, results);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_functions_that_only_pass_on_their_arguments_go_to_the_one_behind() {
        let text = "
            fn mix(a: u32, b: u32) -> u32 { return a * 3u + b; }
            fn twice(a: u32) -> u32 { return mix(a, a); }
            fn turned(a: u32, b: u32) -> u32 { return mix(b, a); }
            fn again(a: u32, b: u32) -> u32 { return turned(b, a); }
            fn more(a: u32) -> u32 { return mix(a, 1u); }
            @group(0) @binding(0) var<storage, read_write> out: array<u32>;
            @compute @workgroup_size(1) fn main() {
                if out[3] > 0u { out[0] = twice(out[1]); }
                out[1] = again(out[1], out[2]) + more(7u);
            }";
        let mut module = naga::front::wgsl::parse_str(text).unwrap();
        forward(&mut module);
        let mut validator = naga::valid::Validator::new(
            naga::valid::ValidationFlags::all(),
            naga::valid::Capabilities::all(),
        );
        validator.validate(&module).unwrap();
        let mut called = Vec::new();
        collect(&module.entry_points[0].function.body, &module, &mut called);
        assert_eq!(called, ["mix", "mix", "more"]);
    }

    fn collect(block: &Block, module: &Module, called: &mut Vec<String>) {
        for statement in block {
            match statement {
                Statement::Call { function, .. } => {
                    called.push(module.functions[*function].name.clone().unwrap());
                }
                Statement::If { accept, .. } => collect(accept, module, called),
                _ => {}
            }
        }
    }
}
