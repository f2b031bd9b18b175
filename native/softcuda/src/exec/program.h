// A module ready to run.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../ptx/ast.h"
#include "warp.h"

namespace softcuda {

// Where an instruction comes from, for reports.
struct Site {
    u32 ptxLine = 0;
    std::string text;        // the PTX instruction
    std::string sourceFile;  // CUDA source, if -lineinfo gave it
    u32 sourceLine = 0;
};

// Classes of instructions that are counted.
enum class InstClass : u8 {
    integer,
    logic,
    compare,
    convert,
    move,
    float32,
    float64,
    half,
    special,
    memory,
    atomic,
    shared,
    collective,
    matrix,
    barrier,
    control,
    count
};
const char* nameOf(InstClass c);

// Registers that a warp holds before its first instruction.
enum class Special : u8 {
    tidX,
    tidY,
    tidZ,
    ntidX,
    ntidY,
    ntidZ,
    ctaidX,
    ctaidY,
    ctaidZ,
    nctaidX,
    nctaidY,
    nctaidZ,
    laneid,
    warpid,
    nwarpid,
    smid,
    nsmid,
    gridid,
    lanemaskEq,
    lanemaskLe,
    lanemaskLt,
    lanemaskGe,
    lanemaskGt,
    dynamicShared,
    totalShared,
    zero,
    one
};

// What a call Inst points to (Inst::imm): bytes to copy between the frames of caller and callee.
struct Function;

struct CallTarget {
    const Function* function;
    struct Copy {
        u32 caller, callee, bytes;
    };
    std::vector<Copy> arguments, results;
};

struct Function {
    std::string name;
    std::vector<Inst> code;
    std::vector<Site> sites;
    std::vector<std::unique_ptr<u32[]>> lists;
    u32 frameBytes = 0;  // of registers
    u32 localBytes = 0;  // of local memory a thread
    // Registers that are written when a frame is made, and never again.
    struct Constant {
        u32 offset, bits;
        u64 value;
    };
    std::vector<Constant> constants;
    std::vector<std::pair<u32, Special>> specials;
    std::vector<std::unique_ptr<CallTarget>> calls;
    std::vector<std::unique_ptr<std::vector<const Inst*>>> tables;  // of branchTable
    std::vector<std::unique_ptr<const Inst*>> meetings;             // reconvergence points of branches
    std::vector<std::vector<u32>> blockClasses;                     // [basic block][InstClass] instructions, when counted
};

struct Parameter {
    u32 offset, size;
};

struct Kernel {
    std::string name;
    Function function;
    std::vector<Parameter> parameters;
    u32 parameterBytes = 0;
    u32 staticShared = 0;
    u32 maxThreads = 1024;        // from .maxntid or .reqntid
    u32 required[3] = {0, 0, 0};  // from .reqntid
    u32 registers = 0;            // an estimate of 32-bit registers a thread, for occupancy and attributes
    u32 localBytes = 0;
    u32 ptxVersion = 0, target = 0;
    bool calls = false;            // other functions: frames and local memory need room for them
    bool partialBarriers = false;  // uses named or counted barriers, or mbarriers
};

struct GlobalVariable {
    u64 address;
    u64 size;
    ptx::Space space;  // global or constant
};

// Owns its kernels, and its global variables in device memory.
class Program {
public:
    // Parses, decodes, allocates and fills global variables. A large text without variables gives the same program
    // again. Throws PtxError.
    static std::shared_ptr<const Program> load(const std::string& ptxText, const std::string& name);
    ~Program();

    const Kernel* kernel(const std::string& name) const;
    const std::vector<std::unique_ptr<Kernel>>& kernels() const { return kernels_; }
    const GlobalVariable* variable(const std::string& name) const;

private:
    friend class Decoder;
    Program() = default;
    std::string name_;
    std::vector<std::unique_ptr<Kernel>> kernels_;
    std::map<std::string, std::unique_ptr<Function>> functions_;
    std::map<std::string, GlobalVariable> variables_;
};

}  // namespace softcuda
