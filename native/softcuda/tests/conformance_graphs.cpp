// Random flow graphs, irreducible ones too: what every thread computes must not depend on how its warp diverges. The host walks the same
// graph, one thread at a time.
#include "conformance_kernel.h"

using namespace conformance;

namespace {

constexpr u32 kThreads = 160, kSteps = 40;

// A block changes x, then ends the thread, goes on by a bit of x, or by a table of four.
struct Block {
    enum class End : u8 { jump, bit, table, leave } end;
    u32 factor, term, bit, guardBit;
    u32 to[4];
};

std::vector<Block> randomGraph(Random& random, u32 count) {
    std::vector<Block> blocks(count);
    for (Block& b : blocks) {
        u32 kind = random.below(10);
        b.end = kind < 2 ? Block::End::jump : kind < 7 ? Block::End::bit : kind < 9 ? Block::End::table : Block::End::leave;
        b.factor = random.below(1000) * 2 + 1;
        b.term = random.below(100000);
        b.bit = random.below(31);
        b.guardBit = random.below(32);
        for (u32& to : b.to) to = random.below(count);
    }
    return blocks;
}

u32 walk(const std::vector<Block>& blocks, u32 x) {
    u32 at = 0;
    for (u32 step = 0; step < kSteps; step++) {
        const Block& b = blocks[at];
        if (x >> b.guardBit & 1) x ^= b.term << 4;
        x = x * b.factor + b.term;
        if (b.end == Block::End::leave && (x >> b.bit & 1)) break;
        u32 choice = b.end == Block::End::bit ? ~x >> b.bit & 1 : b.end == Block::End::table ? x >> b.bit & (b.bit < 31 ? 3 : 1) : 0;
        at = b.to[choice];
    }
    return x;
}

std::string bitTest(const char* predicate, u32 bit) {
    return "and.b32 %r2, %r1, " + std::to_string(1u << bit) + ";\nsetp.ne.u32 " + predicate + ", %r2, 0;\n";
}

std::string textOf(const std::vector<Block>& blocks) {
    std::string text = "ld.global.u32 %r1, [%in];\nmov.u32 %r5, 0;\n";
    auto label = [](u32 k) { return "block" + std::to_string(k); };
    for (u32 k = 0; k < blocks.size(); k++) {
        const Block& b = blocks[k];
        text += label(k) + ":\nsetp.ge.u32 %p1, %r5, " + std::to_string(kSteps) + ";\n@%p1 bra end;\nadd.u32 %r5, %r5, 1;\n";
        text += bitTest("%p2", b.guardBit) + "@%p2 xor.b32 %r1, %r1, " + std::to_string(b.term << 4) + ";\n";
        text += "mad.lo.u32 %r1, %r1, " + std::to_string(b.factor) + ", " + std::to_string(b.term) + ";\n";
        if (b.end == Block::End::leave) text += bitTest("%p3", b.bit) + "st.global.u32 [%out], %r1;\n@%p3 exit;\n";
        if (b.end == Block::End::bit) text += bitTest("%p3", b.bit) + "@%p3 bra " + label(b.to[0]) + ";\nbra " + label(b.to[1]) + ";\n";
        if (b.end == Block::End::table) {
            text += "shr.u32 %r3, %r1, " + std::to_string(b.bit) + ";\nand.b32 %r3, %r3, 3;\n";
            text += "targets" + std::to_string(k) + ": .branchtargets " + label(b.to[0]) + ", " + label(b.to[1]) + ", " + label(b.to[2]) +
                    ", " + label(b.to[3]) + ";\nbrx.idx %r3, targets" + std::to_string(k) + ";\n";
        }
        if (b.end == Block::End::jump || b.end == Block::End::leave) text += "bra " + label(b.to[0]) + ";\n";
    }
    return text + "end:\nst.global.u32 [%out], %r1;";
}

void graphs() {
    for (u32 k = 0; k < 60; k++) {
        Random random(1000 + k);
        std::vector<Block> blocks = randomGraph(random, 2 + random.below(k < 30 ? 6 : 14));
        std::vector<u32> in = randomWords(kThreads, k);
        std::string name = "random graph " + std::to_string(k);
        expect({.name = name.c_str(), .body = textOf(blocks), .in = in, .block = {kThreads}, .grid = {1}},
               [&](u32 t, u32) { return walk(blocks, in[t]); });
    }
}

}  // namespace

int main() { return inEveryMode("random flow graphs", graphs); }
