// From a parsed function to code: binding.cpp names handlers and virtual registers, flow.cpp finds basic blocks, reconvergence points and
// live ranges, decoder.cpp gives every value a place in the register file and lays the code out.
#pragma once

#include <deque>
#include <map>
#include <set>

#include "binder.h"
#include "program.h"

namespace softcuda {

struct VirtualRegister {
    enum class Kind : u8 { value, constant, special } kind = Kind::value;
    u32 bits = 32;   // 1, 16, 32, 64, 128
    u64 value = 0;   // constant: its content; special: which
    u32 offset = 0;  // in the frame, once placed
};

// A use of a virtual register by an Inst: one of its op fields, or one entry of its list.
struct Reference {
    u32 reg;
    bool write;
    bool inList;
    u32 index;
};

struct Bound {
    enum class Flow : u8 { next, branch, table, leave } flow = Flow::next;
    Inst inst;
    std::vector<u32> list;
    std::vector<Reference> references;
    InstClass kind = InstClass::control;
    int guard = -1;  // virtual register of the predicate
    bool guardNegated = false;
    std::vector<std::string> targets;  // labels of branch and table
    u32 statement = 0;
};

// Where the parameters and results of a function lie at the start of its frame: 32 lanes of `size` bytes each, lane by lane.
struct ParameterArea {
    std::string name;
    u32 offset, size;
};
struct Signature {
    std::vector<ParameterArea> results, parameters;
    u32 bytes = 0;
};
Signature signatureOf(const ptx::Function& function);

// What a name of module or function scope stands for.
struct Symbol {
    enum class Kind : u8 { variable, kernelParameter, area, function } kind = Kind::variable;
    ptx::Space space = ptx::Space::none;
    u64 value = 0;  // address, or offset in its space
    u32 size = 0;
};

struct FunctionContext {
    const ptx::Module* module;
    const ptx::Function* ast;
    Function* out;
    std::map<std::string, Symbol> symbols;                       // module and function scope
    const std::map<std::string, const ptx::Function*>* callees;  // every function of the module by name
    const std::map<std::string, std::unique_ptr<Function>>* functions;
    u32 frameStart = 0;  // bytes of parameter areas before the registers
    bool callsOthers = false;
    bool partialBarriers = false;
    std::set<std::string> undefined;  // variables used and not declared
};

struct BoundFunction {
    std::deque<Bound> code;
    std::vector<VirtualRegister> registers;
    std::map<std::string, u32> labels;  // label -> index in code
};

// Binds every statement. Throws PtxError.
BoundFunction bindFunction(FunctionContext& context);

struct BasicBlock {
    u32 begin, end;  // in BoundFunction::code
    std::vector<u32> successors;
    bool leaves = false;     // may end threads here
    int postDominator = -1;  // immediate; -1: none
    bool reconverges = false;
    bool quiet = true;  // no barrier can be reached from here
};

// The end points included: positions 2·index (reads) and 2·index + 1 (writes) of the code.
struct LiveRange {
    u32 begin = ~0u, end = 0;
};

std::vector<BasicBlock> findBlocks(const BoundFunction& function);
std::vector<LiveRange> findLiveRanges(const BoundFunction& function, const std::vector<BasicBlock>& blocks);

// Decodes context.ast into context.out. Returns the most 32-bit registers live at once.
u32 decodeFunction(FunctionContext& context);

// Handlers that the decoder itself places (control.cpp).
namespace control {
// Of a branch: op[firstSide] is the side that runs first when lanes disagree (0: taken, 1: not), or anySide.
inline constexpr u32 firstSide = 6;
inline constexpr u32 anySide = 2;
const Inst* guarded(Warp& w, const Inst* i);
const Inst* reconverge(Warp& w, const Inst* i);
const Inst* countBlock(Warp& w, const Inst* i);
const Inst* jump(Warp& w, const Inst* i);
const Inst* branch(Warp& w, const Inst* i);
const Inst* branchTable(Warp& w, const Inst* i);
const Inst* returnFrom(Warp& w, const Inst* i);
const Inst* leave(Warp& w, const Inst* i);
const Inst* call(Warp& w, const Inst* i);
const Inst* localAddress(Warp& w, const Inst* i);
const Inst* print(Warp& w, const Inst* i);
const Inst* assertFail(Warp& w, const Inst* i);
Run loadArea(u32 registerBits, ptx::Type type);
Run storeArea(u32 registerBits, ptx::Type type);
}  // namespace control

}  // namespace softcuda
