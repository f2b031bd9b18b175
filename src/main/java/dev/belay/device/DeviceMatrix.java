package dev.belay.device;

/**
 * A weight matrix [rows = output features, columns = input features] on a device, in whatever layout the device prefers. A view
 * shares the memory of its owner; closing a view does nothing.
 */
public abstract class DeviceMatrix implements AutoCloseable {
    private final String name;
    private final int rows;
    private final int columns;

    protected DeviceMatrix(String name, int rows, int columns) {
        this.name = name;
        this.rows = rows;
        this.columns = columns;
    }

    /** Tensor name, for error messages and profiles. */
    public final String name() {
        return name;
    }

    /** Output features. */
    public final int rows() {
        return rows;
    }

    /** Input features. */
    public final int columns() {
        return columns;
    }

    /** The block of {@code rowCount} rows and {@code columnCount} columns that starts at ({@code row}, {@code column}). */
    public final DeviceMatrix view(int row, int rowCount, int column, int columnCount) {
        if (row < 0 || rowCount < 1 || row > rows - rowCount) {
            throw new DeviceException("rows " + row + ".." + (row + rowCount) + " are outside matrix " + this);
        }
        if (column < 0 || columnCount < 1 || column > columns - columnCount) {
            throw new DeviceException(
                    "columns " + column + ".." + (column + columnCount) + " are outside matrix " + this);
        }
        return slice(row, rowCount, column, columnCount);
    }

    protected abstract DeviceMatrix slice(int row, int rowCount, int column, int columnCount);

    @Override
    public abstract void close();

    @Override
    public String toString() {
        return name + " [" + rows + ", " + columns + "]";
    }
}
