// mbarrier.* and cp.async.mbarrier.arrive.
//
// An mbarrier's state is the 64-bit word in shared memory itself: pending and expected arrivals, transactions, the phase's parity, and a
// mark that tells an initialised one. A block runs on one CPU thread, so its words need no atomic operations. Arrivals release and
// successful waits acquire for the race checker. The arrival of cp.async.mbarrier.arrive is made as late as allowed: when somebody waits
// for the mbarrier; then its copies land. A wait that fails ends the warp's turn.
#include "mbarrier.h"

#include <set>

#include "families.h"

namespace softcuda {
namespace {

using ptx::Type;

// So many failing waits without anything else going on in the block mean that nobody will ever arrive.
constexpr u32 kPatience = 100000;

using Form = MbarrierForm;
using Object = MbarrierObject;

const Form* keep(const Form& form) {
    static std::set<Form>* forms = new std::set<Form>;
    return &*forms->insert(form).first;
}

template <class F>
void forActive(const Warp& w, F f) {
    for (u32 rest = w.mask; rest != 0; rest &= rest - 1) f(static_cast<u32>(__builtin_ctz(rest)));
}

const Inst* initialise(Warp& w, const Inst* i) {
    const u32* counts = w.r<u32>(i->op[2]);
    forActive(w, [&](u32 l) {
        Object object(w, i, l, Access::write);
        if (!object.reachable()) return;
        if (counts[l] == 0 || counts[l] > kMaxArrivals)
            object.tellUse(Finding::divergentBarrier, "is initialised for " + std::to_string(counts[l]) + " arrivals");
        u32 count = counts[l] & kMaxArrivals;
        object.set(Mbarrier{count, count}.word());
    });
    return i + 1;
}

const Inst* invalidate(Warp& w, const Inst* i) {
    forActive(w, [&](u32 l) {
        Object object(w, i, l, Access::write);
        if (object.live()) object.set(0);
    });
    return i + 1;
}

void transact(const Object& object, i32 change) {
    Mbarrier barrier = Mbarrier::of(object.word());
    i64 sum = static_cast<i64>(barrier.transactions) + change;
    if (sum > static_cast<i64>(kMaxArrivals) || sum < -static_cast<i64>(kMaxArrivals))
        object.tellUse(Finding::divergentBarrier, "counts " + std::to_string(sum) + " transactions");
    barrier.transactions = static_cast<i32>(sum);
    if (change < 0) barrier.completeIfDone();
    object.set(barrier.word());
}

template <bool kComplete>
const Inst* transactions(Warp& w, const Inst* i) {
    const i32* counts = w.r<i32>(i->op[2]);
    forActive(w, [&](u32 l) {
        Object object(w, i, l, Access::atomic);
        if (object.live()) transact(object, kComplete ? -counts[l] : counts[l]);
    });
    return i + 1;
}

const Inst* arrive(Warp& w, const Inst* i) {
    const Form& form = mbarrierForm(i);
    const u32* counts = w.r<u32>(i->op[2]);
    forActive(w, [&](u32 l) {
        Object object(w, i, l, Access::atomic);
        if (!object.live()) return;
        u32 given = counts[l], count = form.counted && !form.expects ? given : 1;
        u64 before = object.word();
        if (form.expects) transact(object, static_cast<i32>(given));
        if (form.drops) {
            Mbarrier barrier = Mbarrier::of(object.word());
            barrier.expected -= std::min(count, barrier.expected);
            object.set(barrier.word());
        }
        object.arrive(w, count, form.orders, form.mayComplete);
        w.r<u64>(i->op[0])[l] = before;
    });
    return i + 1;
}

// The arrivals that cp.async.mbarrier.arrive has promised are made, and their copies land.
void settle(Block& block, const Object& object) {
    for (std::size_t k = 0; k < block.arrivals.size();) {
        PendingArrival arrival = block.arrivals[k];
        if (arrival.barrier != object.offset()) {
            k++;
            continue;
        }
        block.arrivals.erase(block.arrivals.begin() + static_cast<std::ptrdiff_t>(k));
        landCopies(*arrival.warp, 1u << arrival.lane, [&](const PendingCopy& copy) { return copy.serial < arrival.copies; });
        object.arrive(*arrival.warp, 1, true, true);
    }
}

const Inst* arriveAfterCopies(Warp& w, const Inst* i) {
    forActive(w, [&](u32 l) {
        Object object(w, i, l, Access::atomic);
        if (!object.live()) return;
        if (mbarrierForm(i).counted) {
            Mbarrier barrier = Mbarrier::of(object.word());
            barrier.pending++;
            object.set(barrier.word());
        }
        w.block->arrivals.push_back({object.offset(), &w, static_cast<u8>(l), w.issuedCopies});
    });
    return i + 1;
}

// Whether every warp of the block has ended, waits at a barrier, or waits for an mbarrier in vain.
bool allWait(const Block& block) {
    for (u32 k = 0; k < block.warpCount; k++) {
        const Warp& w = block.warps[k];
        if (w.state == WarpState::ready && (w.failedWait == nullptr || w.pc != w.failedWait + 1)) return false;
    }
    return true;
}

// Ends the turn. Where nothing can ever happen, that is told, and the phase completed by force.
const Inst* giveWay(Warp& w, const Inst* i, u32 failed) {
    w.pc = i + 1;
    w.failedWait = i;
    Block& block = *w.block;
    block.idleWaits = allWait(block) ? block.idleWaits + 1 : 0;
    if (block.idleWaits < kPatience) return nullptr;
    Object object(w, i, failed, Access::strongRead);
    Mbarrier barrier = Mbarrier::of(object.word());
    object.tellUse(Finding::divergentBarrier, "is waited for in vain: " + std::to_string(barrier.pending) + " of " +
                                                  std::to_string(barrier.expected) + " arrivals and " +
                                                  std::to_string(barrier.transactions) + " transactions are missing");
    barrier.pending = 0;
    barrier.transactions = 0;
    barrier.completeIfDone();
    object.set(barrier.word());
    return nullptr;
}

const Inst* wait(Warp& w, const Inst* i) {
    const Form& form = mbarrierForm(i);
    u32 complete = 0;
    forActive(w, [&](u32 l) {
        Object object(w, i, l, Access::strongRead);
        if (!object.live()) {
            complete |= 1u << l;
            return;
        }
        settle(*w.block, object);
        bool phase = form.parity ? w.r<u32>(i->op[2])[l] & 1 : Mbarrier::of(w.r<u64>(i->op[2])[l]).odd;
        if (Mbarrier::of(object.word()).odd == phase) return;
        complete |= 1u << l;
        if (form.orders && w.block->shadow) acquireFrom(w.block->shadow, w.index, object.offset());
    });
    u32 failed = w.mask & ~complete;
    setPredicate(w.p(i->op[0]), complete, w.mask);
    return failed == 0 ? i + 1 : giveWay(w, i, static_cast<u32>(__builtin_ctz(failed)));
}

const Inst* pendingCount(Warp& w, const Inst* i) {
    const u64* states = w.r<u64>(i->op[1]);
    forLanes(w.mask, w.r<u32>(i->op[0]), [&](u32 l) { return Mbarrier::of(states[l]).pending; });
    return i + 1;
}

// --- Binding ----------------------------------------------------------------------------------------------------------------------

void checkModifiers(Binder& b) {
    static const std::set<std::string> known = {"init",          "inval",     "arrive",   "arrive_drop", "expect_tx",   "complete_tx",
                                                "noComplete",    "test_wait", "try_wait", "parity",      "release",     "acquire",
                                                "relaxed",       "cta",       "cluster",  "shared",      "shared::cta", "b64",
                                                "pending_count", "async",     "mbarrier", "noinc"};
    for (const std::string& name : b.in().allModifiers())
        if (!known.count(name)) throw b.unsupported("modifier ." + name);
}

void bindObject(Binder& b, const ptx::Operand& address, Form form, Run run) {
    const auto& in = b.in();
    AddressOperand base = b.address(1, address);
    form.place = placeOf(b);
    form.wide = base.wide;
    form.orders = !in.has("relaxed");
    b.out().imm = base.offset;
    b.out().form = keep(form);
    b.out().run = run;
}

void bindArrive(Binder& b, bool drops) {
    const auto& operands = b.in().operands;
    Form form;
    form.drops = drops;
    form.expects = b.in().has("expect_tx");
    form.mayComplete = !b.in().has("noComplete");
    form.counted = operands.size() == 3;
    bool needsCount = form.expects || !form.mayComplete;
    if (operands.size() < 2 || operands.size() > 3 || (needsCount && !form.counted)) throw b.unsupported("wrong number of operands");
    b.write(0, operands[0], Type::b64);
    if (form.counted) b.read(2, operands[2], Type::u32);
    bindObject(b, operands[1], form, arrive);
}

void bindWait(Binder& b) {
    const auto& in = b.in();
    std::size_t most = in.has("try_wait") ? 4 : 3;
    if (in.operands.size() < 3 || in.operands.size() > most) throw b.unsupported("wrong number of operands");
    Form form;
    form.parity = in.has("parity");
    b.writePredicate(0, in.operands[0]);
    b.read(2, in.operands[2], form.parity ? Type::u32 : Type::b64);
    if (in.operands.size() == 4) b.read(3, in.operands[3], Type::u32);
    bindObject(b, in.operands[1], form, wait);
}

void bindCounted(Binder& b, Run run) {
    const auto& operands = b.in().operands;
    if (operands.size() != 2) throw b.unsupported("wrong number of operands");
    b.read(2, operands[1], Type::u32);
    bindObject(b, operands[0], {}, run);
}

void bindAfterCopies(Binder& b) {
    const auto& in = b.in();
    if (!in.has("arrive") || in.operands.size() != 1) throw b.unsupported();
    Form form;
    form.counted = !in.has("noinc");
    bindObject(b, in.operands[0], form, arriveAfterCopies);
}

}  // namespace

bool bindMbarrier(Binder& b) {
    const auto& in = b.in();
    bool copies = in.opcode == "cp" && in.has("async") && in.has("mbarrier");
    if (in.opcode != "mbarrier" && !copies) return false;
    checkModifiers(b);
    const std::string& action = in.allModifiers().at(0);
    if (copies) {
        bindAfterCopies(b);
    } else if (action == "init") {
        bindCounted(b, initialise);
    } else if (action == "inval") {
        if (in.operands.size() != 1) throw b.unsupported("wrong number of operands");
        bindObject(b, in.operands[0], {}, invalidate);
    } else if (action == "expect_tx" || action == "complete_tx") {
        bindCounted(b, action == "expect_tx" ? transactions<false> : transactions<true>);
    } else if (action == "arrive" || action == "arrive_drop") {
        bindArrive(b, action == "arrive_drop");
    } else if (action == "test_wait" || action == "try_wait") {
        bindWait(b);
    } else if (action == "pending_count" && in.operands.size() == 2) {
        b.write(0, in.operands[0], Type::u32);
        b.read(1, in.operands[1], Type::b64);
        b.out().run = pendingCount;
    } else {
        throw b.unsupported();
    }
    return true;
}

}  // namespace softcuda
