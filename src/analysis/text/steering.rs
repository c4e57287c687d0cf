//! Steering loads: loads whose values may affect which elements are touched, or the control flow.
//!
//! Only for them are a buffer's contents read, since that costs a pass over the contents, ties the plan to
//! their version, and may fetch results from a device. The answer errs on the large side: every dynamic index
//! and every condition counts, whatever its effect, and a variable steers as a whole. A missing load would cost
//! precision, never soundness.

use naga::{Expression, Function, Handle, Statement};

use crate::kernel::expression_operands;

/// By expression index: for pointers, whether a value loaded through it may steer; and whether the expression
/// may steer. `variable` gives the invocation's variable that a pointer points into.
pub(crate) fn steering(
    function: &Function,
    variables: usize,
    variable: impl Fn(Handle<Expression>) -> Option<usize>,
) -> (Vec<bool>, Vec<bool>) {
    let mut search = Search {
        stores: vec![Vec::new(); variables],
        steers: vec![false; function.expressions.len()],
        pending: Vec::new(),
    };
    for (_, expression) in function.expressions.iter() {
        if let Expression::Access { index, .. } = expression {
            search.add(*index);
        }
    }
    search.block(&function.body, &variable);
    let mut pointers = vec![false; function.expressions.len()];
    let mut done = vec![false; variables];
    while let Some(handle) = search.pending.pop() {
        let expression = &function.expressions[handle];
        if let Expression::Load { pointer } = *expression {
            pointers[pointer.index()] = true;
            if let Some(variable) = variable(pointer)
                && !std::mem::replace(&mut done[variable], true)
            {
                for value in std::mem::take(&mut search.stores[variable]) {
                    search.add(value);
                }
            }
        }
        expression_operands(&mut expression.clone(), |operand| search.add(*operand));
    }
    (pointers, search.steers)
}

struct Search {
    /// By variable: the values stored to it, or to a part of it.
    stores: Vec<Vec<Handle<Expression>>>,
    /// By expression: whether it was found to steer.
    steers: Vec<bool>,
    /// Steering expressions whose operands are still to be examined.
    pending: Vec<Handle<Expression>>,
}

impl Search {
    fn add(&mut self, handle: Handle<Expression>) {
        if !std::mem::replace(&mut self.steers[handle.index()], true) {
            self.pending.push(handle);
        }
    }

    fn block(
        &mut self,
        block: &naga::Block,
        variable: &impl Fn(Handle<Expression>) -> Option<usize>,
    ) {
        for statement in block {
            match statement {
                Statement::Block(inner) => self.block(inner, variable),
                Statement::If { condition, accept, reject } => {
                    self.add(*condition);
                    self.block(accept, variable);
                    self.block(reject, variable);
                }
                Statement::Switch { selector, cases } => {
                    self.add(*selector);
                    cases.iter().for_each(|case| self.block(&case.body, variable));
                }
                Statement::Loop { body, continuing, break_if } => {
                    break_if.iter().for_each(|condition| self.add(*condition));
                    self.block(body, variable);
                    self.block(continuing, variable);
                }
                // A value stored to shared memory is unknown when it is loaded.
                Statement::Store { pointer, value } => {
                    if let Some(variable) = variable(*pointer) {
                        self.stores[variable].push(*value);
                    }
                }
                // The results of other statements are unknown, too.
                _ => {}
            }
        }
    }
}
