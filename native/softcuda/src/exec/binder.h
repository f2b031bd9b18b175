// Binding: turns one parsed instruction into one Inst by naming its handler and its operands' places in the register file.
//
// Each family of instructions has one function `bool bindX(Binder&)` (families.h). It returns false when the opcode is not of its
// family, and throws b.unsupported() when it is but the form is unknown: nothing unknown passes module load.
#pragma once

#include <string>

#include "../ptx/ast.h"
#include "warp.h"

namespace softcuda {

struct AddressOperand {
    bool wide;             // the base register has 64 bits (else 32)
    u64 offset;            // to add to the base
    ptx::Space space;      // of the symbol, if the base is one: global, constant, shared, local, param; else none
    bool kernelParameter;  // the base is a parameter of the entry function (offset and base hold its byte offset)
};

class Binder {
public:
    virtual ~Binder() = default;

    virtual const ptx::Instruction& in() const = 0;
    virtual Inst& out() = 0;

    // out().op[k] = place of an operand that is read as `type`: a register of the same width, an immediate (integers are truncated,
    // real numbers rounded, to the type), a variable's address, or a static special register (%tid.x, %laneid, ...).
    virtual void read(u32 k, const ptx::Operand& operand, ptx::Type type) = 0;
    // out().op[k] = place of a register of the type's width that is written; `_` gives a scratch register.
    virtual void write(u32 k, const ptx::Operand& operand, ptx::Type type) = 0;
    // The same, for a register of any width (ld, st, cvt allow a wider one); returns its bits. Immediates get the width of `type`.
    virtual u32 readAny(u32 k, const ptx::Operand& operand, ptx::Type type) = 0;
    virtual u32 writeAny(u32 k, const ptx::Operand& operand, ptx::Type type) = 0;
    // Predicates. readPredicate returns whether it is negated (!p).
    virtual bool readPredicate(u32 k, const ptx::Operand& operand) = 0;
    virtual void writePredicate(u32 k, const ptx::Operand& operand) = 0;

    // Appends to out().list instead of op[k]; returns the register's bits.
    virtual u32 listRead(const ptx::Operand& operand, ptx::Type type) = 0;
    virtual u32 listWrite(const ptx::Operand& operand, ptx::Type type) = 0;
    // The same register read and written, as one entry of the list (mma's accumulators may be distinct: then use both of the above).

    // out().op[k] = place of the base of [base+offset]: always a register (constant addresses get a 64-bit one).
    virtual AddressOperand address(u32 k, const ptx::Operand& operand) = 0;

    // The value of an integer immediate; unsupported() if the operand is not one.
    virtual i64 immediate(const ptx::Operand& operand) const = 0;
    virtual bool isImmediate(const ptx::Operand& operand) const = 0;
    // Bits of a register operand.
    virtual u32 bits(const ptx::Operand& operand) const = 0;

    // The error to throw: names module, line and instruction.
    virtual PtxError unsupported(const std::string& why = "") const = 0;
};

}  // namespace softcuda
