// One mbarrier: its 64-bit word in shared memory, and the place of a lane's one.
#pragma once

#include <cuda.h>

#include <cstring>
#include <tuple>

#include "../check/checker.h"
#include "../check/shared_shadow.h"
#include "memory_access.h"

namespace softcuda {

inline constexpr u32 kMaxArrivals = (1u << 20) - 1;

// Its state.
struct Mbarrier {
    u32 pending = 0, expected = 0;  // 20 bits each
    i32 transactions = 0;           // 21 bits with the sign
    bool odd = false;               // parity of the current phase

    static bool isLive(u64 word) { return (word >> 61 & 3) == 1; }
    static Mbarrier of(u64 word) {
        return {static_cast<u32>(word & kMaxArrivals), static_cast<u32>(word >> 20 & kMaxArrivals),
                static_cast<i32>(static_cast<i64>(word << 3) >> 43), (word >> 63) != 0};
    }
    u64 word() const {
        u64 tx = static_cast<u64>(transactions) & ((1u << 21) - 1);
        return pending | static_cast<u64>(expected) << 20 | tx << 40 | 1ull << 61 | static_cast<u64>(odd) << 63;
    }
    void completeIfDone() {
        if (pending == 0 && transactions == 0) {
            odd = !odd;
            pending = expected;
        }
    }
};

// What a handler knows beyond Inst: op[0] is the result, op[1] the address's base, op[2] a count, state or parity, imm the offset.
struct MbarrierForm {
    Place place = nullptr;
    bool wide = true;      // a 64-bit base
    bool counted = false;  // there is a count
    bool expects = false;  // .expect_tx: the count is of transactions
    bool drops = false;    // arrive_drop
    bool mayComplete = true;
    bool parity = false;
    bool orders = true;  // not .relaxed

    auto tie() const { return std::tie(place, wide, counted, expects, drops, mayComplete, parity, orders); }
    bool operator<(const MbarrierForm& o) const { return tie() < o.tie(); }
};

inline const MbarrierForm& mbarrierForm(const Inst* i) { return *static_cast<const MbarrierForm*>(i->form); }

// One lane's mbarrier.
class MbarrierObject {
public:
    MbarrierObject(Warp& w, const Inst* i, u32 lane, Access access) : w_(w), inst_(i), lane_(lane) {
        const MbarrierForm& form = mbarrierForm(i);
        u64 address = addressOf(w, i->op[1], form.wide, i->imm, lane);
        place_ = form.place(w, i, lane, form.wide ? address : static_cast<u32>(address), 8, access);
        if (place_ != nullptr && (place_ < w.block->shared || place_ >= w.block->shared + w.block->sharedBytes))
            fault(CUDA_ERROR_INVALID_ADDRESS_SPACE, w, i, lane, "an mbarrier outside of shared memory");
    }

    bool reachable() const { return place_ != nullptr; }
    u32 offset() const { return static_cast<u32>(place_ - w_.block->shared); }
    u64 word() const {
        u64 word;
        std::memcpy(&word, place_, sizeof word);
        return word;
    }
    void set(u64 word) const {
        std::memcpy(place_, &word, sizeof word);
        w_.block->idleWaits = 0;
    }
    // Whether the word is that of an mbarrier; a finding otherwise.
    bool live() const {
        if (!reachable()) return false;
        if (Mbarrier::isLive(word())) return true;
        tellUse(Finding::uninitialized, "is not initialised");
        return false;
    }
    void tellUse(Finding finding, const std::string& what) const {
        std::string text = "the mbarrier at byte " + std::to_string(offset()) + " of shared memory " + what;
        if (!settings().checked()) fault(CUDA_ERROR_LAUNCH_FAILED, w_, inst_, lane_, text);
        tell(finding, w_, inst_, lane_, text);
    }

    void arrive(const Warp& by, u32 count, bool orders, bool mayComplete) const {
        Mbarrier barrier = Mbarrier::of(word());
        if (orders && w_.block->shadow) releaseTo(w_.block->shadow, by.index, offset());
        if (count > barrier.pending) {
            tellUse(Finding::divergentBarrier,
                    "gets " + std::to_string(count) + " arrivals where " + std::to_string(barrier.pending) + " are pending");
            count = barrier.pending;
        }
        barrier.pending -= count;
        if (mayComplete)
            barrier.completeIfDone();
        else if (barrier.pending == 0 && barrier.transactions == 0)
            tellUse(Finding::divergentBarrier, "would complete its phase by an arrival with .noComplete");
        set(barrier.word());
    }

private:
    Warp& w_;
    const Inst* inst_;
    u32 lane_;
    u8* place_ = nullptr;
};

}  // namespace softcuda
