//! The start of the function: it loads the block's words and builds the user's own immediate from
//! its raw words.
//!
//! The user's immediate becomes a local variable. So it may have any type, although the layout
//! rules of immediates and uniforms differ.

use naga::{
    AddressSpace, ArraySize, Expression, GlobalVariable, Handle, MemoryDecorations,
    ResourceBinding, Scalar, ScalarKind, Span, StructMember, Type, TypeInner, VectorSize,
};

use super::builder::Builder;
use super::params::{ParamLayout, Word};
use super::rewritten::internal;
use crate::error::Result;

/// The values of the block's words in the function.
pub(super) struct Block {
    words: Vec<(Word, Handle<Expression>)>,
}

impl Block {
    /// Declares the block's variable, unless the block is empty, and loads its words. `binding` is
    /// for a block that is a uniform.
    pub(super) fn load(
        layout: &ParamLayout,
        binding: u32,
        variables: &mut naga::Arena<GlobalVariable>,
        out: &mut Builder,
    ) -> Block {
        if layout.words.is_empty() {
            return Block { words: Vec::new() };
        }
        let span = Span::UNDEFINED;
        let word = out.u32_type();
        let members = (0..layout.words.len() as u32)
            .map(|i| StructMember {
                name: Some(format!("word{i}")),
                ty: word,
                binding: None,
                offset: 4 * i,
            })
            .collect();
        let inner = TypeInner::Struct { members, span: 4 * layout.words.len() as u32 };
        let ty = out.types.insert(Type { name: Some("Block".to_owned()), inner }, span);
        let (space, binding) = if layout.immediate {
            (AddressSpace::Immediate, None)
        } else {
            (AddressSpace::Uniform, Some(ResourceBinding { group: 0, binding }))
        };
        let variable = variables.append(
            GlobalVariable {
                name: Some("block".to_owned()),
                space,
                binding,
                ty,
                init: None,
                memory_decorations: MemoryDecorations::empty(),
            },
            span,
        );
        let base = out.leaf(Expression::GlobalVariable(variable), span);
        let words = (0..)
            .zip(&layout.words)
            .map(|(index, &word)| {
                let pointer = out.expr(Expression::AccessIndex { base, index }, span);
                (word, out.load(pointer, span))
            })
            .collect();
        Block { words }
    }

    pub(super) fn word(&self, word: Word) -> Result<Handle<Expression>> {
        let found = self.words.iter().find(|(w, _)| *w == word);
        found.map(|&(_, value)| value).ok_or_else(|| internal(format!("{word:?} is not laid out")))
    }

    /// A value of type `ty`, at byte `offset` of the user's own immediate. Recurses over the
    /// nesting of the type, as naga's validator has done before.
    pub(super) fn user(
        &self,
        ty: Handle<Type>,
        offset: u32,
        out: &mut Builder,
    ) -> Result<Handle<Expression>> {
        let parts: Vec<(Handle<Type>, u32)> = match out.types[ty].inner {
            TypeInner::Scalar(scalar) => return self.scalar(scalar, offset, out),
            TypeInner::Vector { size, scalar } => {
                let ty = out.ty(TypeInner::Scalar(scalar));
                (0..size as u32).map(|i| (ty, offset + i * u32::from(scalar.width))).collect()
            }
            TypeInner::Matrix { columns, rows, scalar } => {
                let ty = out.ty(TypeInner::Vector { size: rows, scalar });
                let slots = if rows == VectorSize::Bi { 2 } else { 4 };
                let stride = slots * u32::from(scalar.width);
                (0..columns as u32).map(|i| (ty, offset + i * stride)).collect()
            }
            TypeInner::Array { base, size: ArraySize::Constant(count), stride } => {
                (0..count.get()).map(|i| (base, offset + i * stride)).collect()
            }
            TypeInner::Struct { ref members, .. } => {
                members.iter().map(|m| (m.ty, offset + m.offset)).collect()
            }
            ref other => return Err(internal(format!("an immediate with {other:?}"))),
        };
        let components =
            parts.into_iter().map(|(ty, at)| self.user(ty, at, out)).collect::<Result<_>>()?;
        Ok(out.expr(Expression::Compose { ty, components }, Span::UNDEFINED))
    }

    fn scalar(&self, scalar: Scalar, offset: u32, out: &mut Builder) -> Result<Handle<Expression>> {
        if scalar.width != 4 || !offset.is_multiple_of(4) {
            return Err(internal(format!("an immediate with {scalar:?} at byte {offset}")));
        }
        let word = self.word(Word::User(offset / 4))?;
        Ok(match scalar.kind {
            ScalarKind::Uint => word,
            kind => out.expr(Expression::As { expr: word, kind, convert: None }, Span::UNDEFINED),
        })
    }
}
