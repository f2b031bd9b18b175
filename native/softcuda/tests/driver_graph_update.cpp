// cuGraphExecUpdate: other parameters are taken over, other topologies and kinds of nodes are refused and leave the executable graph as it
// was.
#include "driver.h"

namespace {

std::string build;
CUmodule module;
CUstream stream, other;
CUdeviceptr a, b;

void open() {
    openContext();
    module = loadModule(build + "/tests/kernels/driver.ptx");
    stream = newStream(CU_STREAM_NON_BLOCKING), other = newStream(CU_STREAM_NON_BLOCKING);
    a = upload(std::vector<int>(64, 0)), b = upload(std::vector<int>(64, 0));
}

void close() {
    OK(cuStreamSynchronize(stream));
    for (CUdeviceptr memory : {a, b}) OK(cuMemFree(memory));
    OK(cuModuleUnload(module));
}

CUgraph capture(const std::function<void()>& submit) {
    CUgraph graph = nullptr;
    MUST(cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
    submit();
    MUST(cuStreamEndCapture(stream, &graph));
    return graph;
}

// Fills `to` with `value`, then adds `add` to its first `n` integers.
CUgraph fillAndAdd(CUdeviceptr to, unsigned value, int add, int n, const char* kernel = "plus") {
    return capture([&] {
        OK(cuMemsetD32Async(to, value, 64, stream));
        OK(launch(functionOf(module, kernel), 2, 32, stream, to, to, add, n));
    });
}

std::vector<int> run(CUgraphExec exec, CUdeviceptr from) {
    OK(cuGraphLaunch(exec, stream));
    OK(cuStreamSynchronize(stream));
    return download<int>(from, 64);
}

void otherParameters() {
    open();
    CUgraph first = fillAndAdd(a, 1, 10, 64), second = fillAndAdd(b, 2, 20, 64);
    CUgraphExec exec = nullptr;
    MUST(cuGraphInstantiateWithFlags(&exec, first, 0));
    CHECK(run(exec, a) == std::vector<int>(64, 11));
    CUgraphExecUpdateResultInfo info;
    std::memset(&info, 0xff, sizeof info);
    OK(cuGraphExecUpdate(exec, second, &info));
    CHECK(info.result == CU_GRAPH_EXEC_UPDATE_SUCCESS, "%d", info.result);
    OK(cuGraphDestroy(second));
    CHECK(run(exec, b) == std::vector<int>(64, 22));
    CHECK(download<int>(a, 64) == std::vector<int>(64, 11), "the old parameters were used too");
    OK(cuGraphExecUpdate(exec, first, &info));
    OK(cuMemsetD8(a, 0, 256));
    OK(cuCtxSynchronize());
    CHECK(run(exec, a) == std::vector<int>(64, 11));
    OK(cuGraphExecDestroy(exec));
    OK(cuGraphDestroy(first));
    close();
}

// A launch that was submitted before the update runs with the old parameters.
void updateAfterLaunch() {
    open();
    CUgraph first = fillAndAdd(a, 1, 10, 64), second = fillAndAdd(b, 2, 20, 64);
    CUgraphExec exec = nullptr;
    MUST(cuGraphInstantiateWithFlags(&exec, first, 0));
    CUgraphExecUpdateResultInfo info;
    {
        Gate gate(stream);
        OK(cuGraphLaunch(exec, stream));
        OK(cuGraphExecUpdate(exec, second, &info));
        gate.open();
        OK(cuStreamSynchronize(stream));
    }
    CHECK(download<int>(a, 64) == std::vector<int>(64, 11) && download<int>(b, 64) == std::vector<int>(64, 0));
    OK(cuGraphExecDestroy(exec));
    OK(cuGraphDestroy(first));
    OK(cuGraphDestroy(second));
    close();
}

void refused(CUgraphExec exec, CUgraph graph, CUgraphExecUpdateResult wanted, bool node) {
    CUgraphExecUpdateResultInfo info;
    std::memset(&info, 0xff, sizeof info);
    EXPECT(cuGraphExecUpdate(exec, graph, &info), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
    CHECK(info.result == wanted, "result %d, not %d", info.result, wanted);
    CHECK((info.errorNode != nullptr) == node, "error node %p", static_cast<void*>(info.errorNode));
    CHECK(run(exec, a) == std::vector<int>(64, 11), "a refused update changed the graph");
    OK(cuGraphDestroy(graph));
}

void otherTopology() {
    open();
    CUgraph first = fillAndAdd(a, 1, 10, 64);
    CUgraphExec exec = nullptr;
    MUST(cuGraphInstantiateWithFlags(&exec, first, 0));
    CUfunction plus = functionOf(module, "plus");
    refused(exec, capture([&] { OK(cuMemsetD32Async(a, 1, 64, stream)); }), CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED, false);
    refused(exec, capture([&] {
                OK(cuMemsetD32Async(a, 1, 64, stream));
                OK(launch(plus, 2, 32, stream, a, a, 1, 64));
                OK(launch(plus, 2, 32, stream, a, a, 1, 64));
            }),
            CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED, false);
    refused(exec, capture([&] {
                OK(launch(plus, 2, 32, stream, a, a, 1, 64));
                OK(launch(plus, 2, 32, stream, a, a, 1, 64));
            }),
            CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED, true);
    refused(exec, capture([&] {
                OK(cuMemsetD32Async(a, 1, 64, stream));
                OK(cuMemcpyDtoDAsync(a, b, 64, stream));
            }),
            CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED, true);
    OK(cuGraphExecDestroy(exec));
    OK(cuGraphDestroy(first));
    close();
}

// The same nodes with other edges: two fills one after the other, and side by side before a kernel.
void otherEdges() {
    open();
    CUevent fork = newEvent(CU_EVENT_DISABLE_TIMING), join = newEvent(CU_EVENT_DISABLE_TIMING);
    CUfunction plus = functionOf(module, "plus");
    CUgraph chain = capture([&] {
        OK(launch(plus, 2, 32, stream, b, b, 0, 64));
        OK(cuMemsetD32Async(a, 5, 64, stream));
        OK(cuMemsetD32Async(a, 1, 64, stream));
        OK(launch(plus, 2, 32, stream, a, a, 10, 64));
    });
    CUgraph diamond = capture([&] {
        OK(launch(plus, 2, 32, stream, b, b, 0, 64));
        OK(cuEventRecord(fork, stream));
        OK(cuStreamWaitEvent(other, fork, 0));
        OK(cuMemsetD32Async(b, 5, 64, other));
        OK(cuEventRecord(join, other));
        OK(cuMemsetD32Async(a, 1, 64, stream));
        OK(cuStreamWaitEvent(stream, join, 0));
        OK(launch(plus, 2, 32, stream, a, a, 10, 64));
    });
    CUgraphExec exec = nullptr;
    MUST(cuGraphInstantiateWithFlags(&exec, chain, 0));
    refused(exec, diamond, CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED, true);
    OK(cuGraphExecDestroy(exec));
    OK(cuGraphDestroy(chain));
    close();
}

void misuse() {
    open();
    CUgraph graph = fillAndAdd(a, 1, 10, 64);
    CUgraphExec exec = nullptr;
    CUgraphExecUpdateResultInfo info;
    MUST(cuGraphInstantiateWithFlags(&exec, graph, 0));
    REFUSED(cuGraphExecUpdate(nullptr, graph, &info));
    REFUSED(cuGraphExecUpdate(exec, nullptr, &info));
    OK(cuGraphExecDestroy(exec));
    REFUSED(cuGraphExecUpdate(exec, graph, &info));
    OK(cuGraphDestroy(graph));
    close();
}

}  // namespace

int main(int, char** argv) {
    build = argv[1];
    group("other parameters", otherParameters);
    group("update after launch", updateAfterLaunch);
    group("other topology", otherTopology);
    group("other edges", otherEdges);
    group("misuse", misuse);
    return report("driver_graph_update");
}
