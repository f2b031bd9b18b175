#include "scheduler.h"

#include <signal.h>

#include <algorithm>
#include <cstdio>

#include "../check/checker.h"

namespace softcuda {
namespace {

using Clock = std::chrono::steady_clock;

// How long the program must have submitted nothing before work runs that nobody waits for, and how much of it may pile up.
constexpr std::chrono::milliseconds kQuiet(2);
constexpr u64 kBacklog = 4096;

}  // namespace

Scheduler::Scheduler() : random_(settings().seed * 0x9e3779b97f4a7c15ull + 1) {}

Scheduler::~Scheduler() {
    {
        Lock held = lock();
        stop_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Scheduler::add(std::shared_ptr<Stream> stream) {
    prune();
    streams_.push_back(std::move(stream));
}

// Closed streams go when their work is done.
void Scheduler::prune() {
    std::erase_if(streams_, [](const auto& s) { return s->closed && s->queue.empty(); });
}

TicketRef Scheduler::submit(Stream& stream, Work work, std::vector<TicketRef> after) {
    if (stream.blocking)
        for (const auto& other : streams_)
            if (other.get() != &stream && other->blocking && (stream.legacy || other->legacy) && other->last && !other->last->done)
                after.push_back(other->last);
    stream.last = std::make_shared<Ticket>();
    stream.queue.push_back({std::move(work), std::move(after), stream.last, ++serial_});
    pending_++;
    lastSubmit_ = Clock::now();
    if (!started_) {
        // Signals are for the threads of the program, but for those of a thread's own faults.
        sigset_t all, before;
        sigfillset(&all);
        for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP}) sigdelset(&all, fault);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        thread_ = std::thread(&Scheduler::loop, this);
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        started_ = true;
    }
    wake_.notify_all();
    return stream.last;
}

std::vector<TicketRef> Scheduler::lastOf(const Stream& stream) const {
    std::vector<TicketRef> tickets;
    for (const auto& other : streams_)
        if (other->last && !other->last->done && (other.get() == &stream || (stream.legacy && other->blocking)))
            tickets.push_back(other->last);
    return tickets;
}

std::vector<TicketRef> Scheduler::lastOfAll() const {
    std::vector<TicketRef> tickets;
    for (const auto& stream : streams_)
        if (stream->last && !stream->last->done) tickets.push_back(stream->last);
    return tickets;
}

bool Scheduler::finished(const std::vector<TicketRef>& tickets) {
    if (std::all_of(tickets.begin(), tickets.end(), [](const auto& t) { return t->done; })) return true;
    nudged_ = true;
    wake_.notify_all();
    return false;
}

void Scheduler::wait(Lock& lock, const std::vector<TicketRef>& tickets) {
    if (finished(tickets)) return;
    waiters_++;
    done_.wait(lock, [&] { return std::all_of(tickets.begin(), tickets.end(), [](const auto& t) { return t->done; }); });
    waiters_--;
}

bool Scheduler::ready(Operation& operation) const {
    while (!operation.after.empty() && operation.after.back()->done) operation.after.pop_back();
    return std::all_of(operation.after.begin(), operation.after.end(), [](const auto& t) { return t->done; });
}

// The stream whose first operation runs next: any when checked, otherwise the one of highest priority, then the oldest.
std::shared_ptr<Stream> Scheduler::choose() {
    std::vector<std::shared_ptr<Stream>> candidates;
    for (const auto& stream : streams_)
        if (!stream->queue.empty() && ready(stream->queue.front())) candidates.push_back(stream);
    if (candidates.empty()) return nullptr;
    if (settings().checked()) {
        random_ ^= random_ << 13, random_ ^= random_ >> 7, random_ ^= random_ << 17;
        return candidates[random_ % candidates.size()];
    }
    return *std::min_element(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
        return a->priority != b->priority ? a->priority < b->priority : a->queue.front().serial < b->queue.front().serial;
    });
}

// Waits while there is no reason to run anything; returns whether it waited.
bool Scheduler::rest(Lock& lock) {
    if (pending_ == 0) {
        wake_.wait(lock);
        return true;
    }
    if (!settings().checked() || waiters_ > 0 || nudged_ || stop_ || pending_ > kBacklog) return false;
    if (Clock::now() >= lastSubmit_ + kQuiet) return false;
    wake_.wait_until(lock, lastSubmit_ + kQuiet);
    return true;
}

void Scheduler::runFirst(Lock& lock, Stream& stream) {
    Work work = std::move(stream.queue.front().work);
    TicketRef ticket = stream.queue.front().done;
    Fault fault;
    lock.unlock();
    if (failure() == CUDA_SUCCESS || outlivesFailure(work)) fault = perform(work);
    work = EmptyWork();
    lock.lock();
    if (fault.code != 0 && failure() == CUDA_SUCCESS) failure_.store(fault.code, std::memory_order_release);
    stream.queue.pop_front();
    pending_--;
    ticket->done = true;
    ticket->at = Clock::now();
    done_.notify_all();
}

void Scheduler::loop() {
    Lock held = lock();
    while (!stop_ || pending_ > 0) {
        if (rest(held)) continue;
        nudged_ = false;
        // There is always one: the oldest operation waits for none.
        if (std::shared_ptr<Stream> stream = choose()) runFirst(held, *stream);
        prune();
    }
}

}  // namespace softcuda
