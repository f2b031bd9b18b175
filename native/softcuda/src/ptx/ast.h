// PTX as parsed: modules, functions, variables, instructions. Nothing is resolved here.
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../base.h"

namespace softcuda::ptx {

enum class Space : u8 { none, reg, global, constant, shared, local, param };

// The scalar types of PTX; `b` types are untyped bits.
enum class Type : u8 {
    none,
    u8,
    u16,
    u32,
    u64,
    s8,
    s16,
    s32,
    s64,
    b8,
    b16,
    b32,
    b64,
    b128,
    f16,
    f16x2,
    bf16,
    bf16x2,
    tf32,
    f32,
    f64,
    e4m3x2,
    e5m2x2,
    u16x2,
    s16x2,
    pred
};

// The type of a modifier such as "f32", or Type::none.
Type typeOf(const std::string& modifier);
// Bits of a value of this type: 1 for pred.
u32 bitsOf(Type type);
bool isSigned(Type type);
bool isFloat(Type type);

struct Operand {
    enum class Kind : u8 {
        reg,      // %r1 (also special registers: %tid.x; also predicates)
        integer,  // 12, -3, 0x10, 0U; the value as 64 bits in `bits`
        real32,   // 0fXXXXXXXX; 32 bits in `bits`
        real64,   // 0dXXXXXXXXXXXXXXXX or a decimal number; 64 bits of a double in `bits`
        symbol,   // a variable, parameter, function or label; `offset` for name+4
        address,  // [base], [base+imm], [imm]; the base is in parts[0] (reg, symbol or integer), the immediate in `offset`
        vector,   // {a, b, ...} in parts
        pair,     // d|p in parts[0], parts[1]
        sink      // _
    };
    Kind kind = Kind::sink;
    bool negated = false;  // !p
    std::string name;
    u64 bits = 0;
    i64 offset = 0;
    std::vector<Operand> parts;
};

// The place in CUDA source that `.loc` gives; line 0 when unknown.
struct SourceLine {
    u32 file = 0;
    u32 line = 0;
};

struct Instruction {
    std::string guard;  // predicate register, or empty
    bool guardNegated = false;
    std::string opcode;                  // "ld"
    std::vector<std::string> modifiers;  // "global", "nc", "v4", "f32"
    mutable u64 asked = 0;               // of the modifiers, a bit each: those that somebody asked for
    std::vector<Operand> operands;       // of call: see CallTarget
    u32 line = 0;                        // in the PTX text, from 1
    SourceLine source;
    std::string text;  // as written, on one line

    // Known here, and nothing depends on them.
    void ignore(std::initializer_list<const char*> names) const {
        for (const char* name : names) has(name);
    }
    // For those who look at each of them.
    const std::vector<std::string>& allModifiers() const {
        asked = ~0ull;
        return modifiers;
    }
    bool has(const char* modifier) const {
        for (std::size_t k = 0; k < modifiers.size(); k++)
            if (modifiers[k] == modifier) {
                asked |= 1ull << k;
                return true;
            }
        return false;
    }
    // The last modifier's type, the second to last's if `fromEnd` is 1, ...
    Type type(std::size_t fromEnd = 0) const {
        if (fromEnd >= modifiers.size()) return Type::none;
        std::size_t k = modifiers.size() - 1 - fromEnd;
        Type type = typeOf(modifiers[k]);
        if (type != Type::none) asked |= 1ull << k;
        return type;
    }
};

// A variable of any space, or a parameter. Bytes of initial content in `content` (empty: none given); addresses of other variables
// inside it in `relocations` (byte offset -> name and addend).
struct Variable {
    std::string name;
    Space space = Space::none;
    Type type = Type::none;
    u64 size = 0;  // bytes; 0 for `extern .shared x[]`
    u32 align = 1;
    bool external = false;
    bool visible = false;
    std::vector<u8> content;
    struct Relocation {
        u64 offset;
        std::string symbol;
        i64 addend;
    };
    std::vector<Relocation> relocations;
    u32 line = 0;
};

struct Register {
    Type type = Type::none;
};

// A statement of a body in order: an instruction, a label, or the begin or end of a scope (already flattened: names declared inside a
// `{ }` scope are made unique by the parser, so that a body is one flat list).
struct Statement {
    enum class Kind : u8 { instruction, label } kind = Kind::instruction;
    Instruction instruction;
    std::string label;
};

struct Function {
    std::string name;
    bool entry = false;
    bool external = false;  // declared only
    std::vector<Variable> results;
    std::vector<Variable> parameters;
    std::vector<Statement> body;
    std::map<std::string, Register> registers;                      // every declared register, ranges like %r<5> expanded
    std::vector<Variable> variables;                                // .local, .shared, .param declared inside
    std::map<std::string, std::vector<std::string>> branchTargets;  // label of .branchtargets -> labels
    u32 maxThreads[3] = {0, 0, 0};                                  // .maxntid
    u32 requiredThreads[3] = {0, 0, 0};                             // .reqntid
    u32 minBlocks = 0;                                              // .minnctapersm
    u32 maxRegisters = 0;                                           // .maxnreg
    u32 line = 0;
};

struct Module {
    std::string name;
    u32 versionMajor = 0, versionMinor = 0;
    u32 target = 0;  // 80, 90, 100
    std::vector<Variable> variables;
    std::vector<Function> functions;
    std::map<u32, std::string> files;  // .file number -> path
};

// Parses PTX text. Throws PtxError with `name`, line and what was met.
Module parse(const std::string& text, const std::string& name);

}  // namespace softcuda::ptx
