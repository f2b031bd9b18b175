package dev.belay.device;

/**
 * Numbers in memory of a device, owned by whoever allocated it and freed by {@link #close()}. Offsets and counts are elements.
 * Every copy checks its bounds and names the buffer when they are wrong.
 */
public abstract class DeviceBuffer implements AutoCloseable {
    private final String name;
    private final long elements;

    protected DeviceBuffer(String name, long elements) {
        this.name = name;
        this.elements = elements;
    }

    /** What the buffer holds, for error messages. */
    public final String name() {
        return name;
    }

    /** Bytes that an element takes on the device: 4, or 2 where they are rounded. */
    public abstract int elementBytes();

    /** Size in elements. */
    public final long elements() {
        return elements;
    }

    /** Copies {@code count} elements from {@code source} into this buffer at {@code offset}. */
    public final void write(long offset, float[] source, int from, int count) {
        check("write", offset, count);
        copyIn(offset, source, from, count);
    }

    /** Copies {@code count} elements of this buffer from {@code offset} into {@code target}; waits for pending work. */
    public final void read(long offset, float[] target, int to, int count) {
        check("read", offset, count);
        copyOut(offset, target, to, count);
    }

    /**
     * Begins to copy {@code count} elements of this buffer from {@code offset} into {@code target}, as they are after the pending work;
     * they are there when the result has been awaited.
     */
    public final PendingRead beginRead(long offset, float[] target, int to, int count) {
        check("read", offset, count);
        return beginCopyOut(offset, target, to, count);
    }

    /** Throws if {@code count} elements from {@code offset} are not all inside this buffer. */
    public final void check(String operation, long offset, long count) {
        check(operation, "", offset, count);
    }

    /** As above, for an operation on {@code subject}; nothing is put into words unless the check fails. */
    public final void check(String operation, Object subject, long offset, long count) {
        if (offset < 0 || count < 0 || offset > elements - count) {
            throw new DeviceException(operation + subject + " of " + count + " elements at " + offset
                    + " is outside buffer '" + name + "' of " + elements + " elements");
        }
    }

    /**
     * The {@code count} elements from {@code offset} on, as a buffer that shares this one's memory: closing it does nothing, and it is
     * good as long as this one is open.
     */
    public final DeviceBuffer slice(long offset, long count) {
        check("slice", offset, count);
        return view(offset, count);
    }

    protected abstract DeviceBuffer view(long offset, long count);

    protected abstract void copyIn(long offset, float[] source, int from, int count);

    protected abstract void copyOut(long offset, float[] target, int to, int count);

    /** This one is for memory whose numbers are there when the call returns. */
    protected PendingRead beginCopyOut(long offset, float[] target, int to, int count) {
        copyOut(offset, target, to, count);
        return PendingRead.DONE;
    }

    @Override
    public abstract void close();
}
