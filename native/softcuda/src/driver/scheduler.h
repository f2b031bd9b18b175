// Streams: queues of work, and the thread that does it.
//
// Work runs late. Each piece carries what it must wait for: its predecessor in the stream, what the legacy stream's rules add, events. When
// checked, a random one of all that may run is chosen (from SOFTCUDA_SEED), and nothing runs before somebody waits or asks, or the
// program has been quiet for a moment: so a missing wait shows.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "handles.h"
#include "work.h"

namespace softcuda {

struct Capture;

struct Ticket {
    bool done = false;
    std::chrono::steady_clock::time_point at;  // when it was done
};
using TicketRef = std::shared_ptr<Ticket>;

struct Operation {
    Work work;
    std::vector<TicketRef> after;
    TicketRef done;
    u64 serial = 0;
};

struct Stream : Object {
    bool legacy = false;
    bool blocking = true;  // waits for the legacy stream, and the legacy stream for it
    int priority = 0;
    std::atomic<bool> closed{false};  // no more work comes
    std::deque<Operation> queue;
    TicketRef last;  // null when there was none
    // While it is captured: the sequence, and the nodes that the next one comes after.
    std::shared_ptr<Capture> capture;
    std::vector<u32> captureAfter;
};

class Scheduler {
public:
    using Lock = std::unique_lock<std::mutex>;

    Scheduler();
    ~Scheduler();

    Lock lock() { return Lock(mutex_); }
    // The functions below are called with the lock held.
    void add(std::shared_ptr<Stream> stream);
    TicketRef submit(Stream& stream, Work work, std::vector<TicketRef> after = {});
    // What must end before everything submitted to the stream has ended.
    std::vector<TicketRef> lastOf(const Stream& stream) const;
    std::vector<TicketRef> lastOfAll() const;
    // Whether all are done. If not, the thread takes it as a sign to go on.
    bool finished(const std::vector<TicketRef>& tickets);
    void wait(Lock& lock, const std::vector<TicketRef>& tickets);
    void waitAll(Lock& lock) { wait(lock, lastOfAll()); }
    const std::vector<std::shared_ptr<Stream>>& streams() const { return streams_; }

    // How the context failed; 0 while it has not. Needs no lock.
    CUresult failure() const { return static_cast<CUresult>(failure_.load(std::memory_order_acquire)); }

private:
    void loop();
    std::shared_ptr<Stream> choose();
    bool ready(Operation& operation) const;
    bool rest(Lock& lock);
    void runFirst(Lock& lock, Stream& stream);
    void prune();

    std::mutex mutex_;
    std::condition_variable wake_, done_;
    std::vector<std::shared_ptr<Stream>> streams_;
    u64 serial_ = 0, pending_ = 0;
    u32 waiters_ = 0;
    bool nudged_ = false, stop_ = false, started_ = false;
    u64 random_;
    std::chrono::steady_clock::time_point lastSubmit_;
    std::atomic<int> failure_{0};
    std::thread thread_;
};

}  // namespace softcuda
