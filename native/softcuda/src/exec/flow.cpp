// Basic blocks, immediate post-dominators and live ranges of one bound function.
#include <algorithm>

#include "decoder.h"

namespace softcuda {
namespace {

bool endsBlock(const Bound& bound) { return bound.flow != Bound::Flow::next; }
bool fallsThrough(const Bound& bound) {
    switch (bound.flow) {
        case Bound::Flow::next:
            return true;
        case Bound::Flow::branch:
            return bound.inst.run == control::branch;
        case Bound::Flow::table:
            return false;
        case Bound::Flow::leave:
            return bound.guard >= 0;
    }
    return true;
}

// Blocks in post-order of the reversed graph, from the virtual exit; the exit itself has index blocks.size().
std::vector<u32> reversePostOrder(const std::vector<std::vector<u32>>& predecessors, u32 exit) {
    std::vector<u32> order;
    std::vector<char> seen(exit + 1, 0);
    std::vector<std::pair<u32, std::size_t>> stack{{exit, 0}};
    seen[exit] = 1;
    while (!stack.empty()) {
        auto& [block, next] = stack.back();
        if (next < predecessors[block].size()) {
            u32 p = predecessors[block][next++];
            if (!seen[p]) {
                seen[p] = 1;
                stack.push_back({p, 0});
            }
        } else {
            order.push_back(block);
            stack.pop_back();
        }
    }
    std::reverse(order.begin(), order.end());
    return order;
}

// A block that does nothing but end its threads.
bool isExit(const BoundFunction& function, const BasicBlock& block) {
    const Bound& first = function.code[block.begin];
    return first.flow == Bound::Flow::leave && first.guard < 0;
}

// Immediate post-dominators by the iteration of Cooper, Harvey and Kennedy on the reversed graph; -1 where there is none.
std::vector<int> postDominators(const std::vector<std::vector<u32>>& successors) {
    u32 exit = static_cast<u32>(successors.size() - 1);
    std::vector<std::vector<u32>> predecessors(exit + 1);
    for (u32 b = 0; b < exit; b++)
        for (u32 s : successors[b]) predecessors[s].push_back(b);
    std::vector<u32> order = reversePostOrder(predecessors, exit);
    std::vector<u32> rank(exit + 1, 0);
    for (u32 i = 0; i < order.size(); i++) rank[order[i]] = i;
    std::vector<int> dominator(exit + 1, -1);
    dominator[exit] = static_cast<int>(exit);
    auto meet = [&](int a, int b) {
        while (a != b) {
            while (rank[a] > rank[b]) a = dominator[a];
            while (rank[b] > rank[a]) b = dominator[b];
        }
        return a;
    };
    for (bool changed = true; changed;) {
        changed = false;
        for (u32 b : order) {
            if (b == exit) continue;
            int best = -1;
            for (u32 s : successors[b])
                if (dominator[s] >= 0) best = best < 0 ? static_cast<int>(s) : meet(best, static_cast<int>(s));
            changed |= best != dominator[b];
            dominator[b] = best;
        }
    }
    for (int& d : dominator)
        if (d == static_cast<int>(exit)) d = -1;
    return dominator;
}

// Threads that leave early are not waited for: where some lanes of a branch end at once and others go on, those that go on need no meeting
// point with them, and must not be kept apart until the end of the kernel. So edges to the exit count only where nothing else is left.
void findPostDominators(const BoundFunction& function, std::vector<BasicBlock>& blocks) {
    u32 exit = static_cast<u32>(blocks.size());
    std::vector<std::vector<u32>> all(exit + 1), staying(exit + 1);
    for (u32 b = 0; b < exit; b++) {
        all[b] = blocks[b].successors;
        for (u32 s : all[b])
            if (!isExit(function, blocks[s])) staying[b].push_back(s);
        if (blocks[b].leaves) all[b].push_back(exit);
        if (staying[b].empty()) staying[b] = all[b];
    }
    std::vector<int> strict = postDominators(all), loose = postDominators(staying);
    for (u32 b = 0; b < exit; b++) blocks[b].postDominator = loose[b] >= 0 ? loose[b] : strict[b];
}

// From which blocks no barrier of the block can be reached.
void findQuiet(const BoundFunction& function, std::vector<BasicBlock>& blocks) {
    for (auto& block : blocks)
        for (u32 i = block.begin; i < block.end; i++)
            if (function.code[i].kind == InstClass::barrier || function.code[i].inst.run == control::call) block.quiet = false;
    for (bool changed = true; changed;) {
        changed = false;
        for (auto& block : blocks)
            for (u32 s : block.successors)
                if (block.quiet && !blocks[s].quiet) {
                    block.quiet = false;
                    changed = true;
                }
    }
}

using BitSet = std::vector<u64>;
bool test(const BitSet& set, u32 i) { return set[i / 64] >> (i % 64) & 1; }
void insert(BitSet& set, u32 i) { set[i / 64] |= 1ull << (i % 64); }

struct Liveness {
    BitSet reads, kills, in, out;  // of one block
};

// A write under a guard leaves lanes as they were: it does not end the life of the value before it.
bool kills(const Bound& bound, const Reference& reference) { return reference.write && bound.guard < 0; }

std::vector<Liveness> solveLiveness(const BoundFunction& function, const std::vector<BasicBlock>& blocks) {
    std::size_t words = (function.registers.size() + 63) / 64;
    std::vector<Liveness> live(blocks.size(), {BitSet(words), BitSet(words), BitSet(words), BitSet(words)});
    for (std::size_t b = 0; b < blocks.size(); b++) {
        for (u32 i = blocks[b].begin; i < blocks[b].end; i++) {
            const Bound& bound = function.code[i];
            auto read = [&](u32 reg) {
                if (!test(live[b].kills, reg)) insert(live[b].reads, reg);
            };
            if (bound.guard >= 0) read(static_cast<u32>(bound.guard));
            for (const auto& r : bound.references)
                if (!kills(bound, r)) read(r.reg);
            for (const auto& r : bound.references)
                if (kills(bound, r)) insert(live[b].kills, r.reg);
        }
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (std::size_t b = blocks.size(); b-- > 0;) {
            for (std::size_t w = 0; w < words; w++) {
                u64 out = 0;
                for (u32 s : blocks[b].successors) out |= live[s].in[w];
                u64 in = live[b].reads[w] | (out & ~live[b].kills[w]);
                changed |= in != live[b].in[w];
                live[b].out[w] = out;
                live[b].in[w] = in;
            }
        }
    }
    return live;
}

}  // namespace

std::vector<BasicBlock> findBlocks(const BoundFunction& function) {
    u32 count = static_cast<u32>(function.code.size());
    std::vector<char> starts(count + 1, 0);
    starts[0] = 1;
    for (const auto& [label, at] : function.labels) starts[at] = 1;
    for (u32 i = 0; i < count; i++)
        if (endsBlock(function.code[i])) starts[i + 1] = 1;
    std::vector<BasicBlock> blocks;
    std::vector<u32> blockAt(count + 1, 0);
    for (u32 i = 0; i < count; i++) {
        if (starts[i]) blocks.push_back({i, i, {}});
        blockAt[i] = static_cast<u32>(blocks.size() - 1);
        blocks.back().end = i + 1;
    }
    for (u32 b = 0; b < blocks.size(); b++) {
        const Bound& last = function.code[blocks[b].end - 1];
        auto add = [&](u32 at) {
            if (at >= count)
                blocks[b].leaves = true;
            else if (std::find(blocks[b].successors.begin(), blocks[b].successors.end(), blockAt[at]) == blocks[b].successors.end())
                blocks[b].successors.push_back(blockAt[at]);
        };
        for (const auto& target : last.targets) add(function.labels.at(target));
        if (fallsThrough(last)) add(blocks[b].end);
        if (last.flow == Bound::Flow::leave) blocks[b].leaves = true;
    }
    findPostDominators(function, blocks);
    findQuiet(function, blocks);
    for (const auto& block : blocks)
        if (block.successors.size() > 1 && block.postDominator >= 0) blocks[block.postDominator].reconverges = true;
    return blocks;
}

std::vector<LiveRange> findLiveRanges(const BoundFunction& function, const std::vector<BasicBlock>& blocks) {
    std::vector<LiveRange> ranges(function.registers.size());
    auto cover = [&](u32 reg, u32 position) {
        ranges[reg].begin = std::min(ranges[reg].begin, position);
        ranges[reg].end = std::max(ranges[reg].end, position);
    };
    std::vector<Liveness> live = solveLiveness(function, blocks);
    for (std::size_t b = 0; b < blocks.size(); b++) {
        for (u32 r = 0; r < ranges.size(); r++) {
            if (test(live[b].in, r)) cover(r, 2 * blocks[b].begin);
            if (test(live[b].out, r)) cover(r, 2 * blocks[b].end - 1);
        }
        for (u32 i = blocks[b].begin; i < blocks[b].end; i++) {
            const Bound& bound = function.code[i];
            if (bound.guard >= 0) cover(static_cast<u32>(bound.guard), 2 * i);
            // Reads and writes of one instruction overlap on purpose: a handler may write one result before it reads all operands.
            for (const auto& r : bound.references) {
                cover(r.reg, 2 * i);
                cover(r.reg, 2 * i + 1);
            }
        }
    }
    return ranges;
}

}  // namespace softcuda
