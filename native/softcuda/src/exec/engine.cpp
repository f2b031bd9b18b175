// Blocks on CPU threads: each worker takes blocks from a seeded order and runs their warps in turns.
#include "engine.h"

#include <cuda.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <new>
#include <numeric>
#include <thread>

#include "../check/checker.h"
#include "../check/shared_shadow.h"
#include "../counters.h"
#include "../memory/device_memory.h"
#include "block_barrier.h"
#include "flow_control.h"

namespace softcuda {
namespace {

// Backward branches in one turn of a warp.
constexpr u32 kTurn = 1024;
// Turns without an end after which a worker starts another block beside this one: a block may wait for what another one writes.
constexpr u32 kPatience = 64;
constexpr u32 kMaxResident = 16;
// Room for the frames and the local memory of called functions, a warp and a thread.
constexpr u32 kCallFrames = 512 * 1024;
constexpr u32 kCallLocal = 16 * 1024;

u32 nextRandom(u32& state) {
    state ^= state << 13, state ^= state >> 17, state ^= state << 5;
    return state;
}

u32 seedOf(u64 a, u64 b) {
    u64 x = (a + 0x9e3779b97f4a7c15ull) * 0xbf58476d1ce4e5b9ull ^ (b + 1) * 0x94d049bb133111ebull;
    x ^= x >> 31;
    u32 seed = static_cast<u32>(x ^ x >> 32);
    return seed == 0 ? 1 : seed;
}

struct AlignedFree {
    void operator()(u8* p) const { std::free(p); }
};
using AlignedBytes = std::unique_ptr<u8, AlignedFree>;

// Zeroed memory, committed only where it is touched.
AlignedBytes alignedBytes(std::size_t bytes) {
    std::size_t size = std::max<std::size_t>(64, (bytes + 63) / 64 * 64);
    u8* p = static_cast<u8*>(std::aligned_alloc(64, size));
    if (p == nullptr) throw std::bad_alloc();
    std::memset(p, 0, size);
    return AlignedBytes(p);
}

// The memory of one block while it runs; used again for the next one.
class BlockRunner {
public:
    BlockRunner(const Launch& launch, u32 worker, Counters* counters) : launch_(launch) {
        const Kernel& kernel = *launch.kernel;
        block_.launch = &launch;
        block_.kernel = &kernel;
        block_.worker = worker;
        block_.sharedBytes = kernel.staticShared + launch.dynamicShared;
        u32 threads = launch.block[0] * launch.block[1] * launch.block[2];
        block_.warpCount = (threads + kLanes - 1) / kLanes;
        warps_ = std::make_unique<Warp[]>(block_.warpCount);
        block_.warps = warps_.get();
        shared_ = alignedBytes(block_.sharedBytes + 16);
        block_.shared = shared_.get();
        if (settings().checked()) block_.shadow = newBlockShadow();
        u32 frames = kernel.function.frameBytes + (kernel.calls ? kCallFrames : 0);
        u32 local = kernel.calls ? kernel.function.localBytes + kCallLocal : kernel.function.localBytes;
        registers_ = alignedBytes(static_cast<std::size_t>(frames) * block_.warpCount);
        std::size_t localBytes = static_cast<std::size_t>(local) * kLanes;
        local_ = alignedBytes(localBytes * block_.warpCount);
        if (settings().checked()) localShadow_ = alignedBytes(localBytes * block_.warpCount);
        for (u32 k = 0; k < block_.warpCount; k++) {
            Warp& w = warps_[k];
            w.block = &block_;
            w.index = k;
            w.counters = counters;
            u32 rest = threads - k * kLanes;
            w.lanes = rest >= kLanes ? kAllLanes : (1u << rest) - 1;
            registersOf_.push_back(registers_.get() + static_cast<std::size_t>(frames) * k);
            w.regsEnd = registersOf_[k] + frames;
            w.local = local_.get() + localBytes * k;
            w.localStride = local;
            w.localShadow = localShadow_ ? localShadow_.get() + localBytes * k : nullptr;
        }
        order_.resize(block_.warpCount);
        std::iota(order_.begin(), order_.end(), 0);
    }
    ~BlockRunner() {
        if (block_.shadow) deleteBlockShadow(block_.shadow);
    }
    BlockRunner(const BlockRunner&) = delete;
    BlockRunner& operator=(const BlockRunner&) = delete;

    void start(u64 linear) {
        const u32* grid = launch_.grid;
        block_.linear = linear;
        block_.id[0] = static_cast<u32>(linear % grid[0]);
        block_.id[1] = static_cast<u32>(linear / grid[0] % grid[1]);
        block_.id[2] = static_cast<u32>(linear / grid[0] / grid[1]);
        for (auto& barrier : block_.barriers) barrier = {};
        block_.arrivals.clear();
        block_.idleWaits = 0;
        if (block_.shadow) {
            resetBlockShadow(block_.shadow, block_.sharedBytes, block_.warpCount, launch_.kernel->partialBarriers);
            poisonShared(block_.shared, block_.sharedBytes);
        }
        random_ = seedOf(settings().seed, linear);
        for (u32 k = 0; k < block_.warpCount; k++) {
            Warp& w = warps_[k];
            w.regs = registersOf_[k];
            w.random = seedOf(settings().seed + linear, k);
            if (w.localShadow) {
                std::size_t bytes = static_cast<std::size_t>(w.localStride) * kLanes;
                std::memset(w.localShadow, 0, bytes);
                std::memset(w.local, kPoison, bytes);
            }
            startWarp(w, launch_.kernel->function);
        }
        turns_ = 0;
    }

    // One turn of every warp that can run; false when the block has ended.
    bool advance() {
        if (settings().checked()) shuffle();
        bool ran = false, waiting = false;
        for (u32 k : order_) {
            Warp& w = warps_[k];
            if (w.state != WarpState::ready) continue;
            runWarp(w);
            ran = true;
        }
        bool live = false;
        for (u32 k = 0; k < block_.warpCount; k++) {
            live |= warps_[k].state != WarpState::exited;
            waiting |= warps_[k].state == WarpState::barrier;
        }
        if (!ran && waiting && !releaseAfterExit(block_)) tellStuck(block_);
        turns_++;
        return live;
    }

    bool patient() const { return turns_ < kPatience; }

private:
    void shuffle() {
        for (u32 k = block_.warpCount; k > 1; k--) std::swap(order_[k - 1], order_[nextRandom(random_) % k]);
    }

    static void runWarp(Warp& w) {
        w.budget = kTurn;
        w.mask = w.active;
        for (const Inst* i = w.pc; i != nullptr;) i = i->run(w, i);
    }

    const Launch& launch_;
    Block block_;
    std::unique_ptr<Warp[]> warps_;
    AlignedBytes shared_, registers_, local_, localShadow_;
    std::vector<u8*> registersOf_;
    std::vector<u32> order_;
    u32 random_ = 1;
    u32 turns_ = 0;
};

// The blocks of a launch in the order in which workers take them: a permutation by a step that shares no factor with their number.
class BlockOrder {
public:
    explicit BlockOrder(const Launch& launch) : count_(static_cast<u64>(launch.grid[0]) * launch.grid[1] * launch.grid[2]) {
        if (!settings().checked() || count_ < 3) return;
        start_ = seedOf(settings().seed, launch.serial) % count_;
        step_ = seedOf(launch.serial, settings().seed) % count_;
        while (step_ == 0 || std::gcd(step_, count_) != 1) step_ = step_ % count_ + 1;
    }
    u64 count() const { return count_; }
    bool take(u64& linear) {
        u64 at = next_.fetch_add(1, std::memory_order_relaxed);
        if (at >= count_) return false;
        linear = static_cast<u64>((static_cast<unsigned __int128>(at) * step_ + start_) % count_);
        return true;
    }

private:
    u64 count_, start_ = 0, step_ = 1;
    std::atomic<u64> next_{0};
};

class LaunchRun {
public:
    explicit LaunchRun(const Launch& launch) : launch_(launch), order_(launch) {}

    u64 blocks() const { return order_.count(); }

    void work(u32 worker) {
        Counters counters;
        try {
            runBlocks(worker, settings().counted() ? &counters : nullptr);
        } catch (const FaultException& e) {
            fail(e.code, e.what());
        } catch (const std::bad_alloc&) {
            fail(CUDA_ERROR_OUT_OF_MEMORY, "out of host memory while " + launch_.kernel->name + " ran");
        }
        std::lock_guard<std::mutex> lock(mutex_);
        counters_.add(counters);
    }

    Fault finish() {
        if (settings().counted()) {
            counters_.launches = 1;
            counters_.endLaunch();
            addCounters(launch_.kernel->name, counters_);
        }
        return fault_;
    }

private:
    void runBlocks(u32 worker, Counters* counters) {
        std::vector<std::unique_ptr<BlockRunner>> resident, idle;
        u64 linear;
        auto startNext = [&] {
            if (!order_.take(linear)) return false;
            if (idle.empty()) idle.push_back(std::make_unique<BlockRunner>(launch_, worker, counters));
            resident.push_back(std::move(idle.back()));
            idle.pop_back();
            resident.back()->start(linear);
            return true;
        };
        while (!failed_.load(std::memory_order_relaxed)) {
            if (resident.empty() && !startNext()) return;
            bool patient = false;
            for (std::size_t k = 0; k < resident.size();) {
                if (resident[k]->advance()) {
                    patient |= resident[k++]->patient();
                } else {
                    idle.push_back(std::move(resident[k]));
                    resident.erase(resident.begin() + static_cast<std::ptrdiff_t>(k));
                }
            }
            if (!resident.empty() && !patient && resident.size() < kMaxResident) startNext();
        }
    }

    void fail(int code, const std::string& message) {
        std::lock_guard<std::mutex> lock(mutex_);
        if (!failed_.exchange(true)) fault_ = {code, message};
    }

    const Launch& launch_;
    BlockOrder order_;
    std::atomic<bool> failed_{false};
    std::mutex mutex_;
    Fault fault_;
    Counters counters_;
};

// Threads that wait for launches; the caller of a launch is worker 0.
class Workers {
public:
    static Workers& get() {
        static Workers* workers = new Workers;
        return *workers;
    }

    void run(LaunchRun& launch) {
        std::lock_guard<std::mutex> one(oneLaunch_);
        u32 helpers = static_cast<u32>(std::min<u64>(launch.blocks() - 1, settings().threads - 1));
        {
            std::lock_guard<std::mutex> lock(mutex_);
            while (started_ < helpers) std::thread(&Workers::loop, this, ++started_).detach();
            launch_ = &launch;
            wanted_ = running_ = helpers;
            generation_++;
        }
        wake_.notify_all();
        launch.work(0);
        std::unique_lock<std::mutex> lock(mutex_);
        done_.wait(lock, [&] { return running_ == 0; });
    }

private:
    void loop(u32 worker) {
        u64 seen = 0;
        for (;;) {
            LaunchRun* launch;
            {
                std::unique_lock<std::mutex> lock(mutex_);
                wake_.wait(lock, [&] { return generation_ != seen && worker <= wanted_; });
                seen = generation_;
                launch = launch_;
            }
            launch->work(worker);
            std::lock_guard<std::mutex> lock(mutex_);
            if (--running_ == 0) done_.notify_all();
        }
    }

    std::mutex oneLaunch_, mutex_;
    std::condition_variable wake_, done_;
    LaunchRun* launch_ = nullptr;
    u32 started_ = 0, wanted_ = 0, running_ = 0;
    u64 generation_ = 0;
};

}  // namespace

Fault run(const Launch& launch) {
    LaunchRun run(launch);
    Workers::get().run(run);
    return run.finish();
}

}  // namespace softcuda
