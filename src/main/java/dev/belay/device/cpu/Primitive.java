package dev.belay.device.cpu;

import dev.belay.bindings.dnnl.Dnnl;
import dev.belay.bindings.dnnl.dnnl_exec_arg_t;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A compiled oneDNN primitive and, for each worker, handles for its operands. Scratch memory is the worker's: the library's own would
 * belong to the thread that made the primitive.
 */
final class Primitive implements AutoCloseable {
    private final OneDnn dnnl;
    private final String name;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment primitive;
    private final MemorySegment[] arguments;
    private final MemorySegment[][] memories;

    /**
     * Compiles what {@code description} describes.
     *
     * @param roles oneDNN's numbers of the operands
     * @param operands their memory descriptions
     */
    Primitive(OneDnn dnnl, int workers, String name, MemorySegment description, int[] roles, MemorySegment[] operands) {
        this.dnnl = dnnl;
        this.name = name;
        MemorySegment scratchpad = Dnnl.dnnl_primitive_desc_query_md(description, Dnnl.dnnl_query_scratchpad_md(), 0);
        dnnl.reserveScratch(Dnnl.dnnl_memory_desc_get_size(scratchpad));
        primitive =
                OneDnn.create("dnnl_primitive_create(" + name + ")", p -> Dnnl.dnnl_primitive_create(p, description));
        arguments = new MemorySegment[workers];
        memories = new MemorySegment[workers][roles.length + 1];
        for (int w = 0; w < workers; w++) {
            arguments[w] = dnnl_exec_arg_t.allocateArray(roles.length + 1, arena);
            for (int i = 0; i < roles.length; i++) {
                operand(w, i, roles[i], operands[i]);
            }
            operand(w, roles.length, Dnnl.DNNL_ARG_SCRATCHPAD(), scratchpad);
        }
    }

    private void operand(int worker, int index, int role, MemorySegment description) {
        MemorySegment memory = OneDnn.create(
                "dnnl_memory_create", m -> Dnnl.dnnl_memory_create(m, description, dnnl.engine(), MemorySegment.NULL));
        memories[worker][index] = memory;
        MemorySegment argument = dnnl_exec_arg_t.asSlice(arguments[worker], index);
        dnnl_exec_arg_t.arg(argument, role);
        dnnl_exec_arg_t.memory(argument, memory);
    }

    /** Sets the address of operand {@code index} for {@code worker}. */
    void bind(int worker, int index, long address) {
        Dnnl.dnnl_memory_set_data_handle(memories[worker][index], MemorySegment.ofAddress(address));
    }

    /** Runs on the operands bound for {@code worker}. */
    void execute(int worker) {
        MemorySegment[] memory = memories[worker];
        Dnnl.dnnl_memory_set_data_handle(memory[memory.length - 1], dnnl.scratch(worker));
        int status = Dnnl.dnnl_primitive_execute(primitive, dnnl.stream(worker), memory.length, arguments[worker]);
        if (status != Dnnl.dnnl_success()) {
            OneDnn.check("dnnl_primitive_execute(" + name + ")", status);
        }
    }

    @Override
    public void close() {
        for (MemorySegment[] memory : memories) {
            for (MemorySegment m : memory) {
                Dnnl.dnnl_memory_destroy(m);
            }
        }
        Dnnl.dnnl_primitive_destroy(primitive);
        arena.close();
    }
}
