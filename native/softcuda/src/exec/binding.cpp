// Binds the statements of one function: operands become virtual registers, opcodes handlers.
#include <cstring>

#include "decoder.h"
#include "families.h"

namespace softcuda {
namespace {

using ptx::Operand;
using ptx::Space;
using ptx::Type;

const std::map<std::string, Special>& specials() {
    static const std::map<std::string, Special> names = {
        {"%tid.x", Special::tidX},
        {"%tid.y", Special::tidY},
        {"%tid.z", Special::tidZ},
        {"%ntid.x", Special::ntidX},
        {"%ntid.y", Special::ntidY},
        {"%ntid.z", Special::ntidZ},
        {"%ctaid.x", Special::ctaidX},
        {"%ctaid.y", Special::ctaidY},
        {"%ctaid.z", Special::ctaidZ},
        {"%nctaid.x", Special::nctaidX},
        {"%nctaid.y", Special::nctaidY},
        {"%nctaid.z", Special::nctaidZ},
        {"%laneid", Special::laneid},
        {"%warpid", Special::warpid},
        {"%nwarpid", Special::nwarpid},
        {"%smid", Special::smid},
        {"%nsmid", Special::nsmid},
        {"%gridid", Special::gridid},
        {"%lanemask_eq", Special::lanemaskEq},
        {"%lanemask_le", Special::lanemaskLe},
        {"%lanemask_lt", Special::lanemaskLt},
        {"%lanemask_ge", Special::lanemaskGe},
        {"%lanemask_gt", Special::lanemaskGt},
        {"%dynamic_smem_size", Special::dynamicShared},
        {"%total_smem_size", Special::totalShared},
        // Without clusters every block is a cluster of its own.
        {"%clusterid.x", Special::ctaidX},
        {"%clusterid.y", Special::ctaidY},
        {"%clusterid.z", Special::ctaidZ},
        {"%nclusterid.x", Special::nctaidX},
        {"%nclusterid.y", Special::nctaidY},
        {"%nclusterid.z", Special::nctaidZ},
        {"%cluster_ctaid.x", Special::zero},
        {"%cluster_ctaid.y", Special::zero},
        {"%cluster_ctaid.z", Special::zero},
        {"%cluster_nctaid.x", Special::one},
        {"%cluster_nctaid.y", Special::one},
        {"%cluster_nctaid.z", Special::one},
        {"%cluster_ctarank", Special::zero},
        {"%cluster_nctarank", Special::one},
    };
    return names;
}

u32 registerBits(Type type) {
    u32 bits = ptx::bitsOf(type);
    return bits == 8 ? 16 : bits;
}

// The bits of an immediate as a value of `type`.
u64 convertImmediate(const Operand& operand, Type type) {
    if (operand.kind == Operand::Kind::integer) return operand.bits;
    bool wantsDouble = ptx::bitsOf(type) == 64;
    if (operand.kind == Operand::Kind::real32) {
        if (!wantsDouble) return operand.bits;
        float narrow;
        u32 bits = static_cast<u32>(operand.bits);
        std::memcpy(&narrow, &bits, 4);
        double wide = narrow;
        u64 result;
        std::memcpy(&result, &wide, 8);
        return result;
    }
    if (wantsDouble) return operand.bits;
    double wide;
    std::memcpy(&wide, &operand.bits, 8);
    float narrow = static_cast<float>(wide);
    u32 result;
    std::memcpy(&result, &narrow, 4);
    return result;
}

class FunctionBinder : public Binder {
public:
    explicit FunctionBinder(FunctionContext& context) : context_(context) {}

    BoundFunction run() {
        const auto& body = context_.ast->body;
        for (u32 s = 0; s < body.size(); s++) {
            if (body[s].kind == ptx::Statement::Kind::label) {
                result_.labels[body[s].label] = static_cast<u32>(result_.code.size());
                continue;
            }
            statement_ = s;
            instruction_ = &body[s].instruction;
            bindInstruction();
        }
        return std::move(result_);
    }

    const ptx::Instruction& in() const override { return *instruction_; }
    Inst& out() override { return result_.code.back().inst; }

    void read(u32 k, const Operand& operand, Type type) override { refer(source(operand, type, true), false, false, k); }
    void write(u32 k, const Operand& operand, Type type) override { refer(destination(operand, type, true), true, false, k); }

    u32 readAny(u32 k, const Operand& operand, Type type) override {
        u32 reg = source(operand, type, false);
        refer(reg, false, false, k);
        return result_.registers[reg].bits;
    }

    u32 writeAny(u32 k, const Operand& operand, Type type) override {
        u32 reg = destination(operand, type, false);
        refer(reg, true, false, k);
        return result_.registers[reg].bits;
    }

    bool readPredicate(u32 k, const Operand& operand) override {
        refer(source(operand, Type::pred, true), false, false, k);
        return operand.negated;
    }

    void writePredicate(u32 k, const Operand& operand) override { write(k, operand, Type::pred); }

    u32 listRead(const Operand& operand, Type type) override { return list(source(operand, type, false), false); }
    u32 listWrite(const Operand& operand, Type type) override { return list(destination(operand, type, false), true); }

    AddressOperand address(u32 k, const Operand& operand) override {
        if (operand.kind != Operand::Kind::address) throw unsupported("expected an address");
        const Operand& base = operand.parts[0];
        AddressOperand result{true, static_cast<u64>(operand.offset), Space::none, false};
        if (base.kind == Operand::Kind::symbol) {
            const Symbol& symbol = find(base.name);
            result.space = symbol.space;
            result.kernelParameter = symbol.kind == Symbol::Kind::kernelParameter;
        }
        if (base.kind == Operand::Kind::reg && bits(base) == 32) {
            result.wide = false;
            read(k, base, Type::b32);
        } else {
            read(k, base, Type::b64);
        }
        return result;
    }

    i64 immediate(const Operand& operand) const override {
        if (!isImmediate(operand)) throw unsupported("expected an integer immediate");
        return static_cast<i64>(operand.bits);
    }

    bool isImmediate(const Operand& operand) const override { return operand.kind == Operand::Kind::integer; }

    u32 bits(const Operand& operand) const override {
        if (operand.kind == Operand::Kind::reg) {
            auto found = context_.ast->registers.find(operand.name);
            if (found != context_.ast->registers.end()) return registerBits(found->second.type);
            if (specials().count(operand.name)) return operand.name == "%gridid" ? 64 : 32;
        }
        throw unsupported("expected a register, found '" + operand.name + "'");
    }

    PtxError unsupported(const std::string& why) const override {
        std::string text =
            context_.module->name + ":" + std::to_string(instruction_->line) + ": cannot execute '" + instruction_->text + "'";
        return PtxError(text + (why.empty() ? "" : ": " + why));
    }

private:
    using Bind = bool (*)(Binder&);

    void begin(InstClass kind) {
        Bound bound;
        bound.statement = statement_;
        bound.kind = kind;
        bound.inst.site = statement_;
        if (!instruction_->guard.empty()) {
            Operand guard;
            guard.kind = Operand::Kind::reg;
            guard.name = instruction_->guard;
            bound.guardNegated = instruction_->guardNegated;
            bound.guard = static_cast<int>(source(guard, Type::pred, true));
        }
        result_.code.push_back(std::move(bound));
    }

    void bindInstruction() {
        begin(InstClass::control);
        if (bindFlow()) return requireAsked();
        static const struct {
            Bind bind;
            InstClass kind;
        } families[] = {
            {bindControl, InstClass::control}, {bindBarrier, InstClass::barrier}, {bindInteger, InstClass::integer},
            {bindFloat, InstClass::float32},   {bindHalf, InstClass::half},       {bindApprox, InstClass::special},
            {bindCompare, InstClass::compare}, {bindMove, InstClass::move},       {bindConvert, InstClass::convert},
            {bindMemory, InstClass::memory},   {bindAtomic, InstClass::atomic},   {bindCollective, InstClass::collective},
            {bindMatrix, InstClass::matrix},
        };
        for (const auto& family : families) {
            std::size_t before = result_.code.size();
            if (!family.bind(*this)) continue;
            if (out().run == nullptr) throw unsupported("no handler");
            requireAsked();
            for (std::size_t i = before - 1; i < result_.code.size(); i++) result_.code[i].kind = classOf(family.kind);
            return;
        }
        throw unsupported("unknown instruction");
    }

    // A modifier that the family did not look at is unknown to it. On jumps, .uni only promises something.
    void requireAsked() const {
        const std::string& op = instruction_->opcode;
        if (op == "bra" || op == "brx" || op == "call" || op == "ret") instruction_->has("uni");
        for (std::size_t k = 0; k < instruction_->modifiers.size(); k++)
            if ((instruction_->asked >> k & 1) == 0) throw unsupported("unknown modifier ." + instruction_->modifiers[k]);
    }

    InstClass classOf(InstClass family) const {
        const std::string& op = instruction_->opcode;
        if (family == InstClass::memory &&
            (instruction_->has("shared") || instruction_->has("shared::cta") || op == "ldmatrix" || op == "stmatrix"))
            return InstClass::shared;
        if (family == InstClass::float32 && instruction_->type() == Type::f64) return InstClass::float64;
        if (op == "and" || op == "or" || op == "xor" || op == "not" || op == "lop3" || op == "shl" || op == "shr" || op == "shf")
            return InstClass::logic;
        if (op.rfind("bar", 0) == 0) return InstClass::barrier;
        return family;
    }

    // Branches, calls, returns and the parameters of calls.
    bool bindFlow() {
        const std::string& op = instruction_->opcode;
        Bound& bound = result_.code.back();
        if (op == "bra") {
            bound.flow = Bound::Flow::branch;
            bound.targets = {label(operand(0))};
            if (bound.guard >= 0) bound.references.push_back({static_cast<u32>(bound.guard), false, false, 0});
            bound.inst.imm = bound.guardNegated;
            bound.inst.run = bound.guard >= 0 ? control::branch : control::jump;
            bound.guard = -1;
        } else if (op == "brx") {
            if (bound.guard >= 0) throw unsupported("a guard on brx");
            if (!instruction_->has("idx")) throw unsupported("expected .idx");
            bound.flow = Bound::Flow::table;
            auto targets = context_.ast->branchTargets.find(operand(1).name);
            if (targets == context_.ast->branchTargets.end()) throw unsupported("unknown .branchtargets '" + operand(1).name + "'");
            bound.targets = targets->second;
            bound.inst.run = control::branchTable;
            read(0, operand(0), Type::u32);
        } else if (op == "ret" || op == "exit") {
            bound.flow = Bound::Flow::leave;
            bound.inst.run = op == "ret" && !context_.ast->entry ? control::returnFrom : control::leave;
        } else if (op == "call") {
            bindCall();
        } else if ((op == "ld" || op == "st") && instruction_->has("param")) {
            return bindArea();
        } else {
            return false;
        }
        return true;
    }

    const Operand& operand(std::size_t n) const {
        if (n >= instruction_->operands.size()) throw unsupported("too few operands");
        return instruction_->operands[n];
    }

    std::string label(const Operand& operand) const {
        if (operand.kind != Operand::Kind::symbol) throw unsupported("expected a label");
        return operand.name;
    }

    u32 areaOffset(const Operand& operand) const {
        const Symbol& symbol = find(operand.name);
        if (symbol.kind != Symbol::Kind::area) throw unsupported("'" + operand.name + "' is not a .param variable");
        return static_cast<u32>(symbol.value);
    }

    void bindCall() {
        const std::string& name = operand(1).name;
        auto found = context_.callees->find(name);
        if (found == context_.callees->end()) throw unsupported("unknown function '" + name + "' (indirect calls are not supported)");
        const ptx::Function& callee = *found->second;
        if (operand(0).parts.size() != callee.results.size() || operand(2).parts.size() != callee.parameters.size())
            throw unsupported("wrong number of arguments or results for " + name);
        if (callee.external) return bindExternalCall(name);
        context_.callsOthers = true;
        Signature signature = signatureOf(callee);
        auto target = std::make_unique<CallTarget>();
        target->function = context_.functions->at(name).get();
        for (std::size_t i = 0; i < signature.parameters.size(); i++)
            target->arguments.push_back(
                {areaOffset(operand(2).parts[i]), signature.parameters[i].offset, argumentBytes(2, i, signature.parameters[i])});
        for (std::size_t i = 0; i < signature.results.size(); i++)
            target->results.push_back(
                {areaOffset(operand(0).parts[i]), signature.results[i].offset, argumentBytes(0, i, signature.results[i])});
        out().imm = reinterpret_cast<u64>(target.get());
        out().run = control::call;
        context_.out->calls.push_back(std::move(target));
    }

    u32 argumentBytes(std::size_t list, std::size_t i, const ParameterArea& area) const {
        if (find(operand(list).parts[i].name).size != area.size)
            throw unsupported("the size of " + operand(list).parts[i].name + " differs from " + area.name);
        return area.size * kLanes;
    }

    // Functions that the driver provides; their arguments are areas of this frame.
    void bindExternalCall(const std::string& name) {
        if (name == "vprintf")
            out().run = control::print;
        else if (name == "__assertfail")
            out().run = control::assertFail;
        else
            throw unsupported("the external function " + name + " is not provided");
        u32 k = 0;
        for (const Operand& argument : operand(2).parts) out().op[k++] = areaOffset(argument);
        if (!operand(0).parts.empty()) out().op[k] = areaOffset(operand(0).parts[0]);
    }

    // ld.param and st.param of call arguments and results; those of a kernel's own parameters belong to the memory family.
    bool bindArea() {
        bool store = instruction_->opcode == "st";
        const Operand& place = operand(store ? 0 : 1);
        const Operand& value = operand(store ? 1 : 0);
        if (place.kind != Operand::Kind::address || place.parts[0].kind != Operand::Kind::symbol) return false;
        const Symbol& symbol = find(place.parts[0].name);
        if (symbol.kind != Symbol::Kind::area) return false;
        Type type = instruction_->type();
        std::vector<Operand> elements = value.kind == Operand::Kind::vector ? value.parts : std::vector<Operand>{value};
        if (!instruction_->has(elements.size() == 2 ? "v2" : "v4") && elements.size() != 1) throw unsupported("a vector of another size");
        u32 bytes = ptx::bitsOf(type) / 8;
        for (std::size_t i = 0; i < elements.size(); i++) {
            if (i > 0) begin(InstClass::move);
            u64 offset = static_cast<u64>(place.offset) + i * bytes;
            if (offset + bytes > symbol.size) throw unsupported("outside of the parameter");
            u32 width = store ? readAny(0, elements[i], type) : writeAny(0, elements[i], type);
            out().op[1] = static_cast<u32>(symbol.value);
            out().op[2] = symbol.size;
            out().imm = offset;
            out().run = store ? control::storeArea(width, type) : control::loadArea(width, type);
        }
        for (std::size_t i = 0; i < elements.size(); i++) result_.code[result_.code.size() - 1 - i].kind = InstClass::move;
        return true;
    }

    const Symbol& find(const std::string& name) const {
        auto found = context_.symbols.find(name);
        if (found == context_.symbols.end()) throw unsupported("unknown name '" + name + "'");
        return found->second;
    }

    u32 newRegister(const VirtualRegister& reg) {
        result_.registers.push_back(reg);
        return static_cast<u32>(result_.registers.size() - 1);
    }

    u32 constant(u64 value, u32 bits) {
        if (bits < 64) value &= (1ull << bits) - 1;
        if (bits == 1) value = value != 0 ? kAllLanes : 0;
        auto key = std::make_pair(bits, value);
        auto found = constants_.find(key);
        if (found != constants_.end()) return found->second;
        return constants_[key] = newRegister({VirtualRegister::Kind::constant, bits, value, 0});
    }

    u32 named(const Operand& operand) {
        auto found = named_.find(operand.name);
        if (found != named_.end()) return found->second;
        auto declared = context_.ast->registers.find(operand.name);
        VirtualRegister reg;
        if (declared != context_.ast->registers.end()) {
            reg.bits = registerBits(declared->second.type);
        } else {
            auto special = specials().find(operand.name);
            if (special == specials().end()) throw unsupported("unknown register '" + operand.name + "'");
            reg.kind = VirtualRegister::Kind::special;
            reg.bits = special->second == Special::gridid ? 64 : 32;
            reg.value = static_cast<u64>(special->second);
        }
        return named_[operand.name] = newRegister(reg);
    }

    u32 source(const Operand& operand, Type type, bool exact) {
        switch (operand.kind) {
            case Operand::Kind::reg: {
                u32 reg = named(operand);
                u32 have = result_.registers[reg].bits, want = registerBits(type);
                if (exact ? have != want : have < want) throw widthError(operand, have, type);
                return reg;
            }
            case Operand::Kind::integer:
            case Operand::Kind::real32:
            case Operand::Kind::real64:
                return constant(convertImmediate(operand, type), registerBits(type));
            case Operand::Kind::symbol:
                return addressOf(operand, type);
            default:
                throw unsupported("an operand that cannot be read");
        }
    }

    // The address of a variable. Local variables lie at a place that depends on the depth of calls: it is computed when it is used.
    u32 addressOf(const Operand& operand, Type type) {
        const Symbol& symbol = find(operand.name);
        if (symbol.kind == Symbol::Kind::area) throw unsupported("the address of a call's parameter");
        if (symbol.kind == Symbol::Kind::function) throw unsupported("the address of a function");
        u64 value = symbol.value + static_cast<u64>(operand.offset);
        u32 bits = registerBits(type);
        if (symbol.space != Space::local) return constant(value, bits);
        if (bits != 64 && bits != 32) throw unsupported("the address of a local variable in " + std::to_string(bits) + " bits");
        Bound helper;
        helper.statement = statement_;
        helper.inst.site = statement_;
        helper.inst.imm = value;
        helper.inst.op[1] = bits;
        helper.inst.run = control::localAddress;
        u32 reg = newRegister({VirtualRegister::Kind::value, bits, 0, 0});
        helper.references.push_back({reg, true, false, 0});
        result_.code.insert(result_.code.end() - 1, std::move(helper));
        return reg;
    }

    u32 destination(const Operand& operand, Type type, bool exact) {
        u32 want = registerBits(type);
        if (operand.kind == Operand::Kind::sink) return newRegister({VirtualRegister::Kind::value, want, 0, 0});
        if (operand.kind != Operand::Kind::reg) throw unsupported("an operand that cannot be written");
        u32 reg = named(operand);
        if (result_.registers[reg].kind == VirtualRegister::Kind::special) throw unsupported(operand.name + " cannot be written");
        u32 have = result_.registers[reg].bits;
        if (exact ? have != want : have < want) throw widthError(operand, have, type);
        return reg;
    }

    PtxError widthError(const Operand& operand, u32 have, Type type) const {
        return unsupported(operand.name + " has " + std::to_string(have) + " bits where " + std::to_string(registerBits(type)) +
                           " are needed");
    }

    void refer(u32 reg, bool write, bool inList, u32 index) { result_.code.back().references.push_back({reg, write, inList, index}); }

    u32 list(u32 reg, bool write) {
        Bound& bound = result_.code.back();
        bound.list.push_back(0);
        refer(reg, write, true, static_cast<u32>(bound.list.size() - 1));
        return result_.registers[reg].bits;
    }

    FunctionContext& context_;
    BoundFunction result_;
    const ptx::Instruction* instruction_ = nullptr;
    u32 statement_ = 0;
    std::map<std::pair<u32, u64>, u32> constants_;
    std::map<std::string, u32> named_;
};

}  // namespace

Signature signatureOf(const ptx::Function& function) {
    Signature signature;
    auto place = [&](const std::vector<ptx::Variable>& variables, std::vector<ParameterArea>& areas) {
        for (const auto& variable : variables) {
            areas.push_back({variable.name, signature.bytes, static_cast<u32>(variable.size)});
            signature.bytes += (static_cast<u32>(variable.size) * kLanes + 63) / 64 * 64;
        }
    };
    place(function.results, signature.results);
    place(function.parameters, signature.parameters);
    return signature;
}

BoundFunction bindFunction(FunctionContext& context) { return FunctionBinder(context).run(); }

}  // namespace softcuda
