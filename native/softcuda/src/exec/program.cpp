// Loading: places variables, finds what each function refers to, decodes every function.
#include "program.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <set>

#include "../memory/device_memory.h"
#include "decoder.h"

namespace softcuda {
namespace {

using ptx::Space;

// Bytes of a text whose program is kept.
constexpr std::size_t kLargeText = 1 << 20;

u64 alignUp(u64 value, u64 align) { return (value + align - 1) / align * align; }

void collect(const ptx::Operand& operand, std::set<std::string>& names) {
    if (operand.kind == ptx::Operand::Kind::symbol) names.insert(operand.name);
    for (const auto& part : operand.parts) collect(part, names);
}

std::set<std::string> namesIn(const ptx::Function& function) {
    std::set<std::string> names;
    for (const auto& statement : function.body)
        for (const auto& operand : statement.instruction.operands) collect(operand, names);
    return names;
}

bool has(const ptx::Function& function, const char* opcode) {
    for (const auto& statement : function.body)
        if (statement.instruction.opcode == opcode) return true;
    return false;
}

// Named or counted barriers, or mbarriers: then not all warps of a block meet at each.
bool usesPartialBarriers(const ptx::Function& function) {
    for (const auto& statement : function.body) {
        const auto& in = statement.instruction;
        if (in.opcode == "mbarrier") return true;
        if ((in.opcode == "bar" || in.opcode == "barrier") && !in.has("warp")) {
            std::size_t first = in.has("red") ? 1 : 0, count = in.operands.size() - (in.has("red") ? 2 : 0);
            const auto& number = in.operands.at(first);
            if (count > 1 || number.kind != ptx::Operand::Kind::integer || number.bits != 0) return true;
        }
    }
    return false;
}

}  // namespace

class Decoder {
public:
    Decoder(Program& program, const ptx::Module& module) : program_(program), module_(module) {}

    void run() {
        placeVariables();
        placeCommonShared();
        for (const auto& function : module_.functions) {
            auto& known = callees_[function.name];
            if (known == nullptr || known->external) known = &function;
        }
        for (const auto& function : module_.functions)
            if (!function.entry && !function.external) program_.functions_[function.name] = std::make_unique<Function>();
        for (const auto& function : module_.functions)
            if (!function.entry && !function.external) decodeDevice(function);
        for (const auto& function : module_.functions)
            if (function.entry && !function.external) decodeKernel(function);
    }

private:
    PtxError error(u32 line, const std::string& what) const { return PtxError(module_.name + ":" + std::to_string(line) + ": " + what); }

    void placeVariables() {
        DeviceMemory& memory = DeviceMemory::get();
        for (const auto& variable : module_.variables) {
            if (variable.space != Space::global && variable.space != Space::constant) continue;
            if (variable.external) throw error(variable.line, "the external variable " + variable.name + " is not defined");
            u64 size = std::max<u64>(variable.size, 1);
            u64 address = memory.allocate(size, "variable " + variable.name + " of " + module_.name);
            if (address == 0) throw error(variable.line, "no device memory left for variable " + variable.name);
            program_.variables_[variable.name] = {address, variable.size, variable.space};
            std::memset(memory.host(address), 0, size);
            std::memcpy(memory.host(address), variable.content.data(), variable.content.size());
            memory.markWritten(address, size);
            symbols_[variable.name] = {Symbol::Kind::variable, variable.space, address, static_cast<u32>(variable.size)};
        }
        for (const auto& variable : module_.variables)
            for (const auto& relocation : variable.relocations) {
                auto target = program_.variables_.find(relocation.symbol);
                if (target == program_.variables_.end())
                    throw error(variable.line, "unknown variable '" + relocation.symbol + "' in an initializer");
                u64 value = target->second.address + static_cast<u64>(relocation.addend);
                std::memcpy(memory.host(program_.variables_[variable.name].address + relocation.offset), &value, sizeof value);
            }
    }

    // Shared variables that device functions use lie at the same place in every kernel that calls any; those declared inside of functions
    // follow them.
    void placeCommonShared() {
        std::set<std::string> names;
        for (const auto& function : module_.functions)
            if (!function.entry) names.merge(namesIn(function));
        for (const auto& variable : module_.variables) {
            if (variable.space != Space::shared || !names.count(variable.name)) continue;
            if (variable.size == 0) throw error(variable.line, "dynamic shared memory used inside a function that is not inlined");
            placeShared(variable, commonShared_, symbols_);
        }
    }

    static void placeShared(const ptx::Variable& variable, u32& bytes, std::map<std::string, Symbol>& symbols) {
        bytes = static_cast<u32>(alignUp(bytes, variable.align));
        symbols[variable.name] = {Symbol::Kind::variable, Space::shared, bytes, static_cast<u32>(variable.size)};
        bytes += static_cast<u32>(variable.size);
    }

    void decodeDevice(const ptx::Function& ast) {
        FunctionContext context = contextOf(ast, *program_.functions_[ast.name]);
        Signature signature = signatureOf(ast);
        for (const auto& areas : {&signature.results, &signature.parameters})
            for (const auto& area : *areas) context.symbols[area.name] = {Symbol::Kind::area, Space::param, area.offset, area.size};
        context.frameStart = signature.bytes;
        placeLocals(context, commonShared_);
        decodeFunction(context);
    }

    void decodeKernel(const ptx::Function& ast) {
        auto kernel = std::make_unique<Kernel>();
        kernel->name = ast.name;
        FunctionContext context = contextOf(ast, kernel->function);
        placeParameters(ast, *kernel, context);
        kernel->calls = has(ast, "call");
        kernel->staticShared = kernel->calls ? commonShared_ : 0;
        placeKernelShared(ast, *kernel, context);
        placeLocals(context, kernel->staticShared);
        placeDynamicShared(ast, *kernel, context);
        u32 most = decodeFunction(context);
        // Addresses and what the compiler keeps beside the values; ptxas needs at least 16.
        kernel->registers = std::clamp<u32>(alignUp(most + 8, 8), 16, 255);
        kernel->localBytes = kernel->function.localBytes;
        kernel->ptxVersion = module_.versionMajor * 10 + module_.versionMinor;
        kernel->target = module_.target;
        kernel->partialBarriers = usesPartialBarriers(ast);
        for (const auto& function : module_.functions)
            if (kernel->calls && !function.entry) kernel->partialBarriers |= usesPartialBarriers(function);
        limits(ast, *kernel);
        program_.kernels_.push_back(std::move(kernel));
    }

    FunctionContext contextOf(const ptx::Function& ast, Function& out) {
        FunctionContext context{};
        context.module = &module_;
        context.ast = &ast;
        context.out = &out;
        context.symbols = symbols_;
        context.callees = &callees_;
        context.functions = &program_.functions_;
        out.name = ast.name;
        return context;
    }

    static void placeParameters(const ptx::Function& ast, Kernel& kernel, FunctionContext& context) {
        for (const auto& parameter : ast.parameters) {
            kernel.parameterBytes = static_cast<u32>(alignUp(kernel.parameterBytes, parameter.align));
            kernel.parameters.push_back({kernel.parameterBytes, static_cast<u32>(parameter.size)});
            context.symbols[parameter.name] = {Symbol::Kind::kernelParameter, Space::param, kernel.parameterBytes,
                                               static_cast<u32>(parameter.size)};
            kernel.parameterBytes += static_cast<u32>(parameter.size);
        }
    }

    void placeKernelShared(const ptx::Function& ast, Kernel& kernel, FunctionContext& context) {
        std::set<std::string> names = namesIn(ast);
        for (const auto& variable : module_.variables)
            if (variable.space == Space::shared && variable.size != 0 && names.count(variable.name) && !symbols_.count(variable.name))
                placeShared(variable, kernel.staticShared, context.symbols);
    }

    // Local and shared variables, and the parameters of calls, declared inside the function.
    void placeLocals(FunctionContext& context, u32& shared) {
        u32 local = 0;
        for (const auto& variable : context.ast->variables) {
            u32 size = static_cast<u32>(variable.size);
            if (variable.space == Space::shared) {
                placeShared(variable, shared, context.symbols);
            } else if (variable.space == Space::param) {
                context.symbols[variable.name] = {Symbol::Kind::area, Space::param, context.frameStart, size};
                context.frameStart += static_cast<u32>(alignUp(size * kLanes, 64));
            } else if (variable.space == Space::local) {
                local = static_cast<u32>(alignUp(local, variable.align));
                context.symbols[variable.name] = {Symbol::Kind::variable, Space::local, local, size};
                local += size;
            } else {
                throw error(variable.line, "the variable " + variable.name + " cannot be declared inside a function");
            }
        }
        context.out->localBytes = static_cast<u32>(alignUp(local, 16));
    }

    // `extern .shared x[]` begins behind the static variables.
    void placeDynamicShared(const ptx::Function& ast, Kernel& kernel, FunctionContext& context) {
        std::set<std::string> names = namesIn(ast);
        u32 align = 1;
        for (const auto& variable : module_.variables)
            if (variable.space == Space::shared && variable.size == 0 && names.count(variable.name))
                align = std::max(align, variable.align);
        kernel.staticShared = static_cast<u32>(alignUp(kernel.staticShared, align));
        for (const auto& variable : module_.variables)
            if (variable.space == Space::shared && variable.size == 0)
                context.symbols[variable.name] = {Symbol::Kind::variable, Space::shared, kernel.staticShared, 0};
    }

    static void limits(const ptx::Function& ast, Kernel& kernel) {
        const u32* required = ast.requiredThreads;
        std::copy(required, required + 3, kernel.required);
        const u32* most = required[0] != 0 ? required : ast.maxThreads;
        if (most[0] == 0) return;
        kernel.maxThreads = most[0] * most[1] * most[2];
        // The compiler keeps to what lets such a block run: 65536 registers, in units of 256 a warp, warps in fours.
        u32 warps = static_cast<u32>(alignUp(std::max(1u, (kernel.maxThreads + kLanes - 1) / kLanes), 4));
        kernel.registers = std::min(kernel.registers, std::max(16u, 65536 / warps / 256 * 256 / kLanes));
    }

    Program& program_;
    const ptx::Module& module_;
    std::map<std::string, Symbol> symbols_;
    std::map<std::string, const ptx::Function*> callees_;
    u32 commonShared_ = 0;
};

const char* nameOf(InstClass c) {
    static const char* const names[] = {"integer", "logic",  "compare", "convert", "move",       "float32", "float64", "half",
                                        "special", "memory", "atomic",  "shared",  "collective", "matrix",  "barrier", "control"};
    return names[static_cast<int>(c)];
}

std::shared_ptr<const Program> Program::load(const std::string& ptxText, const std::string& name) {
    // The last large one, which took seconds.
    static std::mutex mutex;
    static std::string keptText;
    static std::shared_ptr<const Program> kept;
    std::lock_guard lock(mutex);
    if (kept != nullptr && ptxText == keptText) return kept;
    ptx::Module module = ptx::parse(ptxText, name);
    std::shared_ptr<Program> program(new Program);
    program->name_ = name;
    Decoder(*program, module).run();
    if (program->variables_.empty() && ptxText.size() >= kLargeText) {
        kept = program;
        keptText = ptxText;
    }
    return program;
}

Program::~Program() {
    for (const auto& [name, variable] : variables_) DeviceMemory::get().release(variable.address);
}

const Kernel* Program::kernel(const std::string& name) const {
    for (const auto& kernel : kernels_)
        if (kernel->name == name) return kernel.get();
    return nullptr;
}

const GlobalVariable* Program::variable(const std::string& name) const {
    auto found = variables_.find(name);
    return found == variables_.end() ? nullptr : &found->second;
}

}  // namespace softcuda
