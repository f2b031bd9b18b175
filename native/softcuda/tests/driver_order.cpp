// Order between streams: the legacy stream's rules and events hold under every seed, and what nothing orders runs in either order under
// some seed, so that a missing wait shows.
#include <set>

#include "driver.h"

namespace {

constexpr int kSeeds = 12;
std::string build;

// Runs `submit` under each seed; it gets a function that puts the letter of a stream into the log. Returns the orders that were seen.
using Mark = std::function<void(CUstream, char)>;
std::set<std::string> ordersOf(const std::function<void(const Mark&)>& submit) {
    struct Letters {
        char text[64];
        int used;
    };
    std::set<std::string> seen;
    for (int seed = 1; seed <= kSeeds; seed++) {
        auto* letters = static_cast<Letters*>(mmap(nullptr, sizeof(Letters), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
        std::function<void()> body = [&] {
            openContext();
            struct Entry {
                Letters* letters;
                char letter;
            };
            std::vector<Entry> entries;
            entries.reserve(64);
            submit([&](CUstream stream, char letter) {
                entries.push_back({letters, letter});
                OK(cuLaunchHostFunc(
                    stream,
                    [](void* data) {
                        Entry* entry = static_cast<Entry*>(data);
                        entry->letters->text[entry->letters->used++] = entry->letter;
                    },
                    &entries.back()));
            });
            OK(cuCtxSynchronize());
        };
        group("order", body, {{"SOFTCUDA_SEED", std::to_string(seed)}});
        seen.insert(std::string(letters->text, static_cast<size_t>(letters->used)));
        munmap(letters, sizeof(Letters));
    }
    return seen;
}

std::string joined(const std::set<std::string>& orders) {
    std::string text;
    for (const std::string& order : orders) text += " " + order;
    return text;
}

// Every order seen keeps `before` before `after`.
bool alwaysBefore(const std::set<std::string>& orders, char before, char after) {
    return !orders.empty() && std::all_of(orders.begin(), orders.end(), [&](const std::string& order) {
        size_t a = order.find(before), b = order.find(after);
        return a != std::string::npos && b != std::string::npos && a < b;
    });
}

bool bothWays(const std::set<std::string>& orders, char a, char b) {
    return !orders.empty() && !alwaysBefore(orders, a, b) && !alwaysBefore(orders, b, a);
}

void independentStreams() {
    for (unsigned flags : {CU_STREAM_DEFAULT, CU_STREAM_NON_BLOCKING}) {
        std::set<std::string> seen = ordersOf([&](const Mark& mark) {
            CUstream a = newStream(flags), b = newStream(flags);
            mark(a, 'a'), mark(b, 'b'), mark(a, 'c'), mark(b, 'd');
        });
        CHECK(alwaysBefore(seen, 'a', 'c') && alwaysBefore(seen, 'b', 'd'), "flags %u:%s", flags, joined(seen).c_str());
        CHECK(bothWays(seen, 'a', 'b') && bothWays(seen, 'b', 'c'), "flags %u:%s", flags, joined(seen).c_str());
    }
}

// Work of the legacy stream comes after all earlier work of blocking streams and before all later work of theirs.
void legacyStream() {
    for (CUstream legacy : {CUstream{nullptr}, CU_STREAM_LEGACY}) {
        std::set<std::string> seen = ordersOf([&](const Mark& mark) {
            CUstream a = newStream(), b = newStream();
            mark(a, 'a'), mark(b, 'b'), mark(legacy, 'L'), mark(a, 'c'), mark(b, 'd');
        });
        for (char early : {'a', 'b'}) CHECK(alwaysBefore(seen, early, 'L'), "%s", joined(seen).c_str());
        for (char later : {'c', 'd'}) CHECK(alwaysBefore(seen, 'L', later), "%s", joined(seen).c_str());
        CHECK(bothWays(seen, 'a', 'b'), "%s", joined(seen).c_str());
    }
}

// Streams made with NON_BLOCKING and the legacy stream know nothing of each other.
void nonBlockingStream() {
    std::set<std::string> seen = ordersOf([](const Mark& mark) {
        CUstream a = newStream(CU_STREAM_NON_BLOCKING);
        mark(a, 'a'), mark(nullptr, 'L'), mark(a, 'b');
    });
    CHECK(alwaysBefore(seen, 'a', 'b') && bothWays(seen, 'a', 'L') && bothWays(seen, 'b', 'L'), "%s", joined(seen).c_str());
}

void perThreadStream() {
    std::set<std::string> seen = ordersOf([](const Mark& mark) {
        CUstream other = newStream(CU_STREAM_NON_BLOCKING);
        mark(CU_STREAM_PER_THREAD, 'a'), mark(other, 'x'), mark(nullptr, 'L'), mark(CU_STREAM_PER_THREAD, 'b');
    });
    CHECK(alwaysBefore(seen, 'a', 'L') && alwaysBefore(seen, 'L', 'b') && bothWays(seen, 'a', 'x'), "%s", joined(seen).c_str());
}

// An event orders what comes after the wait behind what came before the record, and nothing else.
void eventsOrder() {
    std::set<std::string> seen = ordersOf([](const Mark& mark) {
        CUstream a = newStream(CU_STREAM_NON_BLOCKING), b = newStream(CU_STREAM_NON_BLOCKING);
        CUevent event = newEvent(CU_EVENT_DISABLE_TIMING);
        mark(a, 'a');
        OK(cuEventRecord(event, a));
        mark(a, 'b'), mark(b, 'c');
        OK(cuStreamWaitEvent(b, event, 0));
        mark(b, 'd');
    });
    CHECK(alwaysBefore(seen, 'a', 'd') && bothWays(seen, 'b', 'd') && bothWays(seen, 'a', 'c'), "%s", joined(seen).c_str());
}

// A wait is for the latest record at the time of the call; later records and the event's end do not change it.
void waitsForTheLatestRecord() {
    std::set<std::string> seen = ordersOf([](const Mark& mark) {
        CUstream a = newStream(CU_STREAM_NON_BLOCKING), b = newStream(CU_STREAM_NON_BLOCKING), c = newStream(CU_STREAM_NON_BLOCKING);
        CUevent event = newEvent();
        mark(a, 'a');
        OK(cuEventRecord(event, a));
        mark(b, 'b');
        OK(cuEventRecord(event, b));
        OK(cuStreamWaitEvent(c, event, 0));
        mark(a, 'd');
        OK(cuEventRecord(event, a));
        OK(cuEventDestroy(event));
        mark(c, 'c');
    });
    CHECK(alwaysBefore(seen, 'b', 'c') && bothWays(seen, 'a', 'c') && bothWays(seen, 'd', 'c'), "%s", joined(seen).c_str());
}

// A kernel in one stream reads what another stream copies. Returns how many seeds gave the copied data.
int freshResults(bool waits) {
    int fresh = 0;
    for (int seed = 1; seed <= kSeeds; seed++) {
        Outcome outcome = runChild(
            [&] {
                openContext();
                CUmodule module = loadModule(build + "/tests/kernels/driver.ptx");
                CUstream copies = newStream(CU_STREAM_NON_BLOCKING), kernels = newStream(CU_STREAM_NON_BLOCKING);
                CUdeviceptr in = upload(std::vector<int>(256, 1)), out = upload(std::vector<int>(256, 0));
                int* host = pinned<int>(256);
                std::fill(host, host + 256, 2);
                CUevent copied = newEvent(CU_EVENT_DISABLE_TIMING);
                OK(cuMemcpyHtoDAsync(in, host, 1024, copies));
                OK(cuEventRecord(copied, copies));
                if (waits) OK(cuStreamWaitEvent(kernels, copied, 0));
                OK(launch(functionOf(module, "copy"), 2, 128, kernels, out, in, 256));
                OK(cuCtxSynchronize());
                std::vector<int> got = download<int>(out, 256);
                OK(cuMemFree(in));
                OK(cuMemFree(out));
                OK(cuMemFreeHost(host));
                bool old = got == std::vector<int>(256, 1), newer = got == std::vector<int>(256, 2);
                CHECK(old || newer, "neither old nor new data: %d", got[0]);
                if (newer) std::fprintf(stderr, "fresh\n");
            },
            {{"SOFTCUDA_SEED", std::to_string(seed)}});
        CHECK(outcome.code == 0, "seed %d: exit code %d, signal %d: %s", seed, outcome.code, outcome.signal, outcome.errors.c_str());
        fresh += outcome.says("fresh");
    }
    return fresh;
}

void missingDependency() {
    int with = freshResults(true), without = freshResults(false);
    CHECK(with == kSeeds, "with the wait, %d of %d seeds gave the copied data", with, kSeeds);
    CHECK(without > 0 && without < kSeeds, "without the wait, %d of %d seeds gave the copied data", without, kSeeds);
}

}  // namespace

int main(int, char** argv) {
    build = argv[1];
    independentStreams();
    legacyStream();
    nonBlockingStream();
    perThreadStream();
    eventsOrder();
    waitsForTheLatestRecord();
    missingDependency();
    return report("driver_order");
}
