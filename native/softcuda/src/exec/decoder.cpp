// Gives every value of a bound function its place in the register file, and lays its code out.
#include "decoder.h"

#include <algorithm>

#include "../check/checker.h"

namespace softcuda {
namespace {

u32 slotBytes(u32 bits) { return bits == 1 ? 4 : bits * kLanes / 8; }

// Places values in a frame; a place is used again when its value's life has ended.
class FrameLayout {
public:
    explicit FrameLayout(u32 start) : end_((start + 63) / 64 * 64) {}

    // Constants and special registers keep their places; returns the most 32-bit words of values alive at once.
    u32 place(BoundFunction& function, const std::vector<LiveRange>& ranges, Function& out) {
        for (u32 r = 0; r < function.registers.size(); r++) {
            VirtualRegister& reg = function.registers[r];
            if (reg.kind == VirtualRegister::Kind::value || ranges[r].begin == ~0u) continue;
            reg.offset = fresh(slotBytes(reg.bits));
            if (reg.kind == VirtualRegister::Kind::constant)
                out.constants.push_back({reg.offset, reg.bits, reg.value});
            else
                out.specials.push_back({reg.offset, static_cast<Special>(reg.value)});
        }
        u32 most = placeValues(function, ranges);
        out.frameBytes = (end_ + 63) / 64 * 64;
        return most;
    }

private:
    u32 placeValues(BoundFunction& function, const std::vector<LiveRange>& ranges) {
        std::vector<u32> order;
        for (u32 r = 0; r < function.registers.size(); r++)
            if (function.registers[r].kind == VirtualRegister::Kind::value && ranges[r].begin != ~0u) order.push_back(r);
        std::sort(order.begin(), order.end(), [&](u32 a, u32 b) { return ranges[a].begin < ranges[b].begin; });
        std::multimap<u32, u32> ends;  // end of life -> register
        u32 words = 0, most = 0;
        for (u32 r : order) {
            while (!ends.empty() && ends.begin()->first < ranges[r].begin) {
                const VirtualRegister& dead = function.registers[ends.begin()->second];
                free_[slotBytes(dead.bits)].push_back(dead.offset);
                words -= (dead.bits + 31) / 32;
                ends.erase(ends.begin());
            }
            VirtualRegister& reg = function.registers[r];
            auto& places = free_[slotBytes(reg.bits)];
            if (places.empty()) {
                reg.offset = fresh(slotBytes(reg.bits));
            } else {
                reg.offset = places.back();
                places.pop_back();
            }
            ends.emplace(ranges[r].end, r);
            words += (reg.bits + 31) / 32;
            most = std::max(most, words);
        }
        return most;
    }

    // Predicates share lines of 64 bytes; vectors of lanes are aligned to them.
    u32 fresh(u32 bytes) {
        if (bytes == 4) {
            if (predicates_ % 64 == 0) {
                predicates_ = end_;
                end_ += 64;
            }
            u32 offset = predicates_;
            predicates_ += 4;
            if (predicates_ % 64 == 0) predicates_ = 0;
            return offset;
        }
        u32 offset = end_;
        end_ += bytes;
        return offset;
    }

    u32 end_;
    u32 predicates_ = 0;
    std::map<u32, std::vector<u32>> free_;
};

class Layout {
public:
    Layout(FunctionContext& context, BoundFunction& function, const std::vector<BasicBlock>& blocks)
        : context_(context), function_(function), blocks_(blocks), out_(*context.out), counted_(settings().counted()) {}

    void run() {
        sites();
        std::size_t size = 1;
        for (const auto& bound : function_.code) size += bound.guard >= 0 ? 2 : 1;
        for (const auto& block : blocks_) size += block.reconverges + counted_;
        out_.code.reserve(size);
        for (u32 b = 0; b < blocks_.size(); b++) emit(b);
        Inst end;
        end.run = context_.ast->entry ? control::leave : control::returnFrom;
        end.site = out_.code.empty() ? 0 : out_.code.back().site;
        out_.code.push_back(end);
        for (const auto& patch : patches_) *patch.field = &out_.code[blockStarts_[patch.block]];
        for (const auto& [field, label] : targets_) *field = &out_.code[startOf(label)];
    }

private:
    struct Patch {
        const Inst** field;
        u32 block;
    };

    void sites() {
        for (const auto& statement : context_.ast->body) {
            Site site;
            site.ptxLine = statement.instruction.line;
            site.text = statement.instruction.text;
            auto file = context_.module->files.find(statement.instruction.source.file);
            if (file != context_.module->files.end()) site.sourceFile = file->second;
            site.sourceLine = statement.instruction.source.line;
            out_.sites.push_back(std::move(site));
        }
        if (out_.sites.empty()) out_.sites.emplace_back();
    }

    u32 startOf(const std::string& label) const {
        u32 at = function_.labels.at(label);
        for (u32 b = 0; b < blocks_.size(); b++)
            if (blocks_[b].begin == at) return blockStarts_[b];
        return static_cast<u32>(out_.code.size() - 1);
    }

    void emit(u32 b) {
        const BasicBlock& block = blocks_[b];
        blockStarts_.push_back(static_cast<u32>(out_.code.size()));
        Inst marker;
        marker.site = function_.code[block.begin].inst.site;
        if (block.reconverges) {
            marker.run = control::reconverge;
            out_.code.push_back(marker);
        }
        if (counted_) {
            marker.run = control::countBlock;
            marker.imm = out_.blockClasses.size();
            out_.code.push_back(marker);
            out_.blockClasses.emplace_back(static_cast<std::size_t>(InstClass::count) + 1);
        }
        for (u32 i = block.begin; i < block.end; i++) {
            Bound& bound = function_.code[i];
            if (counted_) {
                out_.blockClasses.back()[static_cast<std::size_t>(bound.kind)]++;
                out_.blockClasses.back().back()++;
            }
            emit(bound, block);
        }
    }

    void emit(Bound& bound, const BasicBlock& block) {
        if (bound.guard >= 0) {
            Inst guard;
            guard.run = control::guarded;
            guard.op[0] = function_.registers[bound.guard].offset;
            guard.imm = bound.guardNegated ? kAllLanes : 0;
            guard.site = bound.inst.site;
            out_.code.push_back(guard);
        }
        Inst inst = bound.inst;
        if (!bound.list.empty()) {
            out_.lists.push_back(std::make_unique<u32[]>(bound.list.size()));
            inst.list = out_.lists.back().get();
        }
        for (const auto& r : bound.references) (r.inList ? inst.list[r.index] : inst.op[r.index]) = function_.registers[r.reg].offset;
        out_.code.push_back(inst);
        u32 at = static_cast<u32>(out_.code.size() - 1);
        if (bound.flow == Bound::Flow::branch) targets_.push_back({&out_.code[at].target, bound.targets[0]});
        if (bound.flow == Bound::Flow::table) table(bound, at);
        if (bound.flow == Bound::Flow::branch || bound.flow == Bound::Flow::table) reconvergence(at, block);
        if (bound.inst.run == control::branch) out_.code[at].op[control::firstSide] = firstSide(block);
    }

    // Where the lanes of a branch meet again: its Inst carries it in `list`, which is read as a pointer to the Inst's address.
    void reconvergence(u32 at, const BasicBlock& block) {
        if (out_.code[at].run == control::jump || block.postDominator < 0) return;
        out_.meetings.push_back(std::make_unique<const Inst*>(nullptr));
        out_.code[at].list = reinterpret_cast<u32*>(out_.meetings.back().get());
        patches_.push_back({out_.meetings.back().get(), static_cast<u32>(block.postDominator)});
    }

    // A side that ends without another barrier runs before one that meets barriers: those count the threads that are left.
    u32 firstSide(const BasicBlock& block) const {
        if (block.successors.size() < 2 || block.postDominator >= 0) return control::anySide;
        bool taken = blocks_[block.successors[0]].quiet, other = blocks_[block.successors[1]].quiet;
        return taken == other ? control::anySide : taken ? 0 : 1;
    }

    void table(const Bound& bound, u32 at) {
        auto table = std::make_unique<std::vector<const Inst*>>(bound.targets.size());
        for (std::size_t i = 0; i < bound.targets.size(); i++) targets_.push_back({&(*table)[i], bound.targets[i]});
        out_.code[at].imm = reinterpret_cast<u64>(table.get());
        out_.tables.push_back(std::move(table));
    }

    FunctionContext& context_;
    BoundFunction& function_;
    const std::vector<BasicBlock>& blocks_;
    Function& out_;
    const bool counted_;
    std::vector<u32> blockStarts_;
    std::vector<Patch> patches_;
    std::vector<std::pair<const Inst**, std::string>> targets_;
};

void checkLabels(const FunctionContext& context, const BoundFunction& function) {
    for (const auto& bound : function.code)
        for (const auto& target : bound.targets)
            if (!function.labels.count(target)) {
                const auto& instruction = context.ast->body[bound.statement].instruction;
                throw PtxError(context.module->name + ":" + std::to_string(instruction.line) + ": unknown label '" + target + "' in '" +
                               instruction.text + "'");
            }
}

}  // namespace

u32 decodeFunction(FunctionContext& context) {
    BoundFunction function = bindFunction(context);
    checkLabels(context, function);
    u32 most = 0;
    std::vector<BasicBlock> blocks;
    FrameLayout frame(context.frameStart);
    if (!function.code.empty()) {
        blocks = findBlocks(function);
        most = frame.place(function, findLiveRanges(function, blocks), *context.out);
    } else {
        context.out->frameBytes = (context.frameStart + 63) / 64 * 64;
    }
    Layout(context, function, blocks).run();
    return most;
}

}  // namespace softcuda
