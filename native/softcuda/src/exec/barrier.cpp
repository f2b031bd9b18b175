// membar, fence, nanosleep and griddepcontrol.
//
// The host's memory is coherent, and each access of a lane is made when its instruction runs: a fence needs only to keep the host's
// processors from reordering, where the scope goes beyond the block. A block runs on one CPU thread.
#include <atomic>
#include <set>

#include "families.h"

namespace softcuda {

bool bindMbarrier(Binder& b);  // mbarrier.cpp

namespace {

const Inst* nothing(Warp&, const Inst* i) { return i + 1; }

const Inst* hostFence(Warp&, const Inst* i) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return i + 1;
}

// Ends the warp's turn, so that other warps and blocks run.
const Inst* sleep(Warp& w, const Inst* i) {
    w.pc = i + 1;
    return nullptr;
}

void bindFence(Binder& b) {
    static const std::set<std::string> known = {"cta",
                                                "gl",
                                                "gpu",
                                                "sys",
                                                "cluster",
                                                "sc",
                                                "acq_rel",
                                                "acquire",
                                                "release",
                                                "proxy",
                                                "alias",
                                                "async",
                                                "global",
                                                "shared::cta",
                                                "shared::cluster",
                                                "mbarrier_init",
                                                "async::generic",
                                                "sync_restrict::shared::cta",
                                                "sync_restrict::shared::cluster"};
    const auto& in = b.in();
    for (const std::string& name : in.allModifiers())
        if (!known.count(name)) throw b.unsupported("modifier ." + name);
    if (in.modifiers.empty() || !in.operands.empty()) throw b.unsupported();
    b.out().run = in.has("gl") || in.has("gpu") || in.has("sys") || in.has("proxy") ? hostFence : nothing;
}

void bindSleep(Binder& b) {
    const auto& in = b.in();
    if (in.modifiers.size() != 1 || in.allModifiers()[0] != "u32" || in.operands.size() != 1) throw b.unsupported();
    b.read(0, in.operands[0], ptx::Type::u32);
    b.out().run = sleep;
}

}  // namespace

bool bindBarrier(Binder& b) {
    const auto& in = b.in();
    if (in.opcode == "membar" || in.opcode == "fence") {
        bindFence(b);
    } else if (in.opcode == "nanosleep") {
        bindSleep(b);
    } else if (in.opcode == "griddepcontrol") {
        // Kernels of a stream run one after the other: what a dependent waits for has happened.
        if (!in.has("wait") && !in.has("launch_dependents")) throw b.unsupported();
        b.out().run = nothing;
    } else {
        return bindMbarrier(b);
    }
    return true;
}

}  // namespace softcuda
