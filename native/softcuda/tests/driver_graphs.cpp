// Graphs: capture of every kind of node, replay with other data, forks and joins, the same bits as eager launches.
#include "driver.h"

namespace {

std::string build;

struct Session {
    Session() {
        openContext();
        module = loadModule(build + "/tests/kernels/driver.ptx");
        stream = newStream(CU_STREAM_NON_BLOCKING);
    }
    ~Session() {
        for (CUdeviceptr memory : memories) OK(cuMemFree(memory));
        OK(cuStreamDestroy(stream));
        OK(cuModuleUnload(module));
    }
    CUfunction function(const char* name) const { return functionOf(module, name); }
    template <class T>
    CUdeviceptr put(const std::vector<T>& values) {
        memories.push_back(upload(values));
        return memories.back();
    }
    void begin(CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL) { MUST(cuStreamBeginCapture(stream, mode)); }
    CUgraph end() {
        CUgraph graph = nullptr;
        MUST(cuStreamEndCapture(stream, &graph));
        return graph;
    }
    CUmodule module;
    CUstream stream;
    std::vector<CUdeviceptr> memories;
};

CUgraphExec instantiate(CUgraph graph) {
    CUgraphExec exec = nullptr;
    MUST(cuGraphInstantiateWithFlags(&exec, graph, 0));
    return exec;
}

size_t nodesOf(CUgraph graph) {
    size_t count = 99;
    OK(cuGraphGetNodes(graph, nullptr, &count));
    std::vector<CUgraphNode> nodes(count + 2, reinterpret_cast<CUgraphNode>(1));
    size_t room = count + 2;
    OK(cuGraphGetNodes(graph, nodes.data(), &room));
    CHECK(room == count && nodes[count] == nullptr && nodes[count + 1] == nullptr, "%zu nodes, then %zu", count, room);
    for (size_t i = 0; i < count; i++) CHECK(nodes[i] != nullptr && nodes[i] != reinterpret_cast<CUgraphNode>(1));
    return count;
}

// One chain with every kind of node: nothing runs while it is captured, each launch runs all of it on what memory then holds.
void everyKindOfNode() {
    Session s;
    CUdeviceptr a = s.put(std::vector<int>(64, 0)), b = s.put(std::vector<int>(64, 0));
    int *in = pinned<int>(64), *out = pinned<int>(64), calls = 0;
    std::fill(in, in + 64, 1);
    std::fill(out, out + 64, -1);
    CUDA_MEMCPY2D square = {};
    square.srcMemoryType = CU_MEMORYTYPE_DEVICE, square.srcDevice = a, square.srcPitch = 32;
    square.dstMemoryType = CU_MEMORYTYPE_DEVICE, square.dstDevice = b, square.dstPitch = 32;
    square.WidthInBytes = 16, square.Height = 8;
    int add = 10;
    s.begin();
    OK(cuMemcpyHtoDAsync(a, in, 256, s.stream));
    OK(launch(s.function("plus"), 1, 64, s.stream, a, a, add, 64));
    OK(cuMemsetD32Async(b, 7, 64, s.stream));
    OK(cuMemsetD8Async(b + 16, 0, 4, s.stream));
    OK(cuMemcpy2DAsync(&square, s.stream));
    OK(cuMemcpyDtoDAsync(b + 128, a, 8, s.stream));
    OK(cuLaunchHostFunc(
        s.stream, [](void* data) { ++*static_cast<int*>(data); }, &calls));
    OK(cuMemcpyDtoHAsync(out, b, 256, s.stream));
    CUgraph graph = s.end();
    add = 1000;
    CHECK(nodesOf(graph) == 8);
    CHECK(out[0] == -1 && calls == 0 && download<int>(a, 1)[0] == 0, "something ran during the capture");
    CUgraphExec exec = instantiate(graph);
    OK(cuGraphDestroy(graph));
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 64; i++) in[i] = round * 100 + i;
        OK(cuGraphLaunch(exec, s.stream));
        OK(cuStreamSynchronize(s.stream));
        CHECK(calls == round, "%d calls", calls);
        for (int i = 0; i < 64; i++) {
            int wanted = i == 32 || i == 33 ? round * 100 + i - 32 + 10 : i % 8 < 4 ? round * 100 + i + 10 : i == 4 ? 0 : 7;
            CHECK(out[i] == wanted, "round %d: out[%d] is %d, not %d", round, i, out[i], wanted);
        }
    }
    OK(cuGraphExecDestroy(exec));
    OK(cuMemFreeHost(in));
    OK(cuMemFreeHost(out));
}

// A step of many kernels gives the same bits from a graph as from eager launches.
void sameBits() {
    Session s;
    std::vector<float> start(1000);
    for (size_t i = 0; i < start.size(); i++) start[i] = static_cast<float>(i % 91) * 0.37f - 2.5f;
    CUdeviceptr eager = s.put(start), replayed = s.put(start), scratch = s.put(start);
    auto step = [&](CUdeviceptr data) {
        for (int rounds : {3, 7, 2}) {
            OK(launch(s.function("churn"), 8, 128, s.stream, scratch, data, rounds, 1000));
            OK(launch(s.function("churn"), 8, 128, s.stream, data, scratch, 1, 1000));
        }
    };
    for (int i = 0; i < 5; i++) step(eager);
    std::vector<float> wanted = (cuStreamSynchronize(s.stream), download<float>(eager, 1000));
    s.begin();
    step(replayed);
    CUgraph graph = s.end();
    CUgraphExec exec = instantiate(graph);
    for (int i = 0; i < 5; i++) OK(cuGraphLaunch(exec, s.stream));
    OK(cuStreamSynchronize(s.stream));
    std::vector<float> got = download<float>(replayed, 1000);
    CHECK(std::memcmp(got.data(), wanted.data(), 4000) == 0 && got != start);
    OK(cuGraphExecDestroy(exec));
    OK(cuGraphDestroy(graph));
}

// Two branches between a fork and a join by events: b = a + 1, c = a + 2, d = b then + c's values.
void forkAndJoin() {
    Session s;
    CUstream other = newStream(CU_STREAM_NON_BLOCKING);
    CUevent fork = newEvent(CU_EVENT_DISABLE_TIMING), join = newEvent(CU_EVENT_DISABLE_TIMING);
    CUdeviceptr a = s.put(std::vector<int>(32, 0)), b = s.put(std::vector<int>(32, 0)), c = s.put(std::vector<int>(32, 0));
    CUfunction plus = s.function("plus");
    CUstreamCaptureStatus status;
    s.begin();
    OK(launch(plus, 1, 32, s.stream, a, a, 1, 32));
    OK(cuEventRecord(fork, s.stream));
    OK(cuStreamWaitEvent(other, fork, 0));
    OK(cuStreamIsCapturing(other, &status));
    CHECK(status == CU_STREAM_CAPTURE_STATUS_ACTIVE);
    OK(launch(plus, 1, 32, other, c, a, 20, 32));
    OK(cuEventRecord(join, other));
    OK(launch(plus, 1, 32, s.stream, b, a, 10, 32));
    OK(cuStreamWaitEvent(s.stream, join, 0));
    OK(cuMemcpyDtoDAsync(b + 64, c, 64, s.stream));
    CUgraph graph = s.end();
    OK(cuStreamIsCapturing(other, &status));
    CHECK(status == CU_STREAM_CAPTURE_STATUS_NONE);
    CHECK(nodesOf(graph) == 4);
    CUgraphExec exec = instantiate(graph);
    for (int round = 1; round <= 4; round++) {
        OK(cuGraphLaunch(exec, round % 2 == 0 ? other : s.stream));
        OK(cuCtxSynchronize());
        std::vector<int> got = download<int>(b, 32);
        CHECK(got[0] == round + 10 && got[16] == round + 20, "round %d: %d, %d", round, got[0], got[16]);
    }
    OK(cuGraphExecDestroy(exec));
    OK(cuGraphDestroy(graph));
    OK(cuEventDestroy(fork));
    OK(cuEventDestroy(join));
    OK(cuStreamDestroy(other));
}

// A launch comes after what its stream did before and before what comes later, and launches of one graph come one after the other.
void launchesInOrder() {
    Session s;
    CUdeviceptr a = s.put(std::vector<int>(32, 0)), b = s.put(std::vector<int>(32, 0));
    CUfunction plus = s.function("plus");
    s.begin();
    OK(launch(plus, 1, 32, s.stream, a, a, 1, 32));
    OK(launch(plus, 1, 32, s.stream, b, a, 0, 32));
    CUgraph graph = s.end();
    CUgraphExec exec = instantiate(graph), second = instantiate(graph);
    CUstream other = newStream(CU_STREAM_NON_BLOCKING);
    Gate gate(s.stream);
    OK(cuMemsetD32Async(a, 100, 32, s.stream));
    OK(cuGraphLaunch(exec, s.stream));
    OK(cuGraphLaunch(second, s.stream));
    OK(cuGraphLaunch(exec, other));
    OK(cuMemsetD32Async(a, 5, 1, s.stream));
    EXPECT(cuStreamQuery(s.stream), CUDA_ERROR_NOT_READY);
    gate.open();
    OK(cuCtxSynchronize());
    std::vector<int> got = download<int>(b, 32);
    CHECK(got[31] == 103, "%d", got[31]);
    OK(cuGraphExecDestroy(exec));
    OK(cuGraphExecDestroy(second));
    OK(cuGraphDestroy(graph));
    OK(cuStreamDestroy(other));
}

// An executable graph that is destroyed while it waits to run still runs; an empty graph is a graph.
void lifetimes() {
    Session s;
    CUdeviceptr a = s.put(std::vector<int>(32, 0));
    s.begin();
    OK(cuMemsetD32Async(a, 3, 32, s.stream));
    CUgraph graph = s.end();
    CUgraphExec exec = instantiate(graph);
    Gate gate(s.stream);
    OK(cuGraphLaunch(exec, s.stream));
    OK(cuGraphExecDestroy(exec));
    OK(cuGraphDestroy(graph));
    gate.open();
    OK(cuStreamSynchronize(s.stream));
    CHECK(download<int>(a, 32)[31] == 3);
    s.begin();
    graph = s.end();
    CHECK(nodesOf(graph) == 0);
    exec = instantiate(graph);
    OK(cuGraphLaunch(exec, s.stream));
    OK(cuStreamSynchronize(s.stream));
    OK(cuGraphExecDestroy(exec));
    OK(cuGraphDestroy(graph));
}

void misuse() {
    Session s;
    s.begin();
    CUgraph graph = s.end();
    CUgraphExec exec = nullptr;
    size_t count;
    EXPECT(cuGraphInstantiateWithFlags(nullptr, graph, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuGraphInstantiateWithFlags(&exec, nullptr, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuGraphInstantiateWithFlags(&exec, graph, 1ull << 40), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuGraphGetNodes(nullptr, nullptr, &count), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuGraphGetNodes(graph, nullptr, nullptr), CUDA_ERROR_INVALID_VALUE);
    exec = instantiate(graph);
    EXPECT(cuGraphLaunch(nullptr, s.stream), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuGraphDestroy(nullptr), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuGraphExecDestroy(nullptr), CUDA_ERROR_INVALID_VALUE);
    OK(cuGraphExecDestroy(exec));
    EXPECT(cuGraphExecDestroy(exec), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuGraphLaunch(exec, s.stream), CUDA_ERROR_INVALID_VALUE);
    OK(cuGraphDestroy(graph));
    EXPECT(cuGraphDestroy(graph), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuGraphInstantiateWithFlags(&exec, graph, 0), CUDA_ERROR_INVALID_VALUE);
}

}  // namespace

int main(int, char** argv) {
    build = argv[1];
    group("every kind of node", everyKindOfNode);
    group("same bits", sameBits);
    for (const char* seed : {"1", "2", "3", "4", "5"}) group("fork and join", forkAndJoin, {{"SOFTCUDA_SEED", seed}});
    for (const char* seed : {"1", "2", "3"}) group("launches in order", launchesInOrder, {{"SOFTCUDA_SEED", seed}});
    group("lifetimes", lifetimes);
    group("misuse", misuse);
    return report("driver_graphs");
}
