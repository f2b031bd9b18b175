package dev.belay.cli;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;

/**
 * A page or a piece of it in small, part by part from the top down. Parts are compared each for itself, so that a line more in one
 * moves nothing in the next, and by the mean colours of coarse cells, so that letters of another font are the same grey.
 */
record PagePicture(List<BufferedImage> parts) {
    /** CSS pixels that become one of the kept picture. */
    private static final int SCALE = 8;
    /** Pixels of the kept picture in a cell, that is 64 CSS pixels: about three lines of text. */
    private static final int CELL = 8;
    /** Divides the parts in the file; no page has this colour. */
    private static final int DIVIDER = 0xff00ff;
    /** How much higher or lower a part may be, by lines that are broken elsewhere. */
    private static final double HEIGHT = 0.2;

    /** Takes a picture of all elements of a selector that take any room. */
    static PagePicture take(Browser browser, String selector) throws InterruptedException, IOException {
        String elements = "[...document.querySelectorAll('" + selector + "')].filter(e => e.offsetHeight > 0)";
        int count = browser.value(elements + ".length").asInt();
        List<BufferedImage> parts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            BufferedImage part = browser.picture(elements + "[" + i + "]");
            parts.add(shrunk(
                    part,
                    Math.max(1, part.getWidth() / SCALE),
                    Math.max(1, Math.round(part.getHeight() / (float) SCALE))));
        }
        return new PagePicture(parts);
    }

    /** Reads what {@link #write} wrote. */
    static PagePicture read(Path file) throws IOException {
        BufferedImage all = ImageIO.read(file.toFile());
        List<BufferedImage> parts = new ArrayList<>();
        int from = 0;
        for (int y = 0; y < all.getHeight(); y++) {
            if (divides(all, 0, y)) {
                int width = 0;
                while (width < all.getWidth() && !divides(all, width, from)) {
                    width++;
                }
                parts.add(all.getSubimage(0, from, width, y - from));
                from = y + 1;
            }
        }
        return new PagePicture(parts);
    }

    private static boolean divides(BufferedImage all, int x, int y) {
        return (all.getRGB(x, y) & 0xffffff) == DIVIDER;
    }

    /** Writes the parts, one below the other, on the colour that divides them. */
    void write(Path file) throws IOException {
        int width = parts.stream().mapToInt(BufferedImage::getWidth).max().orElseThrow();
        int height = parts.stream().mapToInt(part -> part.getHeight() + 1).sum();
        BufferedImage all = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = all.createGraphics();
        graphics.setColor(new Color(DIVIDER));
        graphics.fillRect(0, 0, width, height);
        int y = 0;
        for (BufferedImage part : parts) {
            graphics.drawImage(part, 0, y, null);
            y += part.getHeight() + 1;
        }
        graphics.dispose();
        Files.createDirectories(file.getParent());
        ImageIO.write(all, "png", file.toFile());
    }

    /**
     * How much each part of another picture differs from this one: the mean difference of cells as a share of the contrast that this
     * part has, which is the mean difference of its cells from its mean colour; infinite where the shape is another.
     */
    List<Double> differences(PagePicture other) {
        List<Double> differences = new ArrayList<>();
        for (int i = 0; i < Math.max(parts.size(), other.parts.size()); i++) {
            boolean both = i < parts.size() && i < other.parts.size();
            differences.add(both ? difference(parts.get(i), other.parts.get(i)) : Double.POSITIVE_INFINITY);
        }
        return differences;
    }

    private static double difference(BufferedImage kept, BufferedImage seen) {
        if (Math.abs(kept.getWidth() - seen.getWidth()) > 1
                || Math.abs(kept.getHeight() - seen.getHeight()) > Math.max(CELL, HEIGHT * kept.getHeight())) {
            return Double.POSITIVE_INFINITY;
        }
        int columns = Math.ceilDiv(kept.getWidth(), CELL);
        int rows = Math.ceilDiv(kept.getHeight(), CELL);
        double[] a = means(kept, columns, rows);
        double[] b = means(seen, columns, rows);
        double[] middle = means(kept, 1, 1);
        double difference = 0;
        double contrast = 0;
        for (int i = 0; i < a.length; i++) {
            difference += Math.abs(a[i] - b[i]);
            contrast += Math.abs(a[i] - middle[i % 3]);
        }
        return difference / Math.max(contrast, a.length);
    }

    private static BufferedImage shrunk(BufferedImage picture, int width, int height) {
        double[] means = means(picture, width, height);
        BufferedImage small = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        for (int i = 0; i < width * height; i++) {
            int color = 0;
            for (int c = 0; c < 3; c++) {
                color = color << 8 | (int) Math.round(means[3 * i + c]);
            }
            small.setRGB(i % width, i / width, color);
        }
        return small;
    }

    /** Mean red, green and blue of the cells that cut a picture evenly, [rows][columns][3]; pixels on an edge count to their shares. */
    private static double[] means(BufferedImage picture, int columns, int rows) {
        double[] sums = new double[rows * columns * 3];
        double[] weights = new double[rows * columns];
        double[][] across = shares(picture.getWidth(), columns);
        double[][] down = shares(picture.getHeight(), rows);
        for (int y = 0; y < picture.getHeight(); y++) {
            for (int x = 0; x < picture.getWidth(); x++) {
                add(picture.getRGB(x, y), across[x], down[y], columns, sums, weights);
            }
        }
        for (int i = 0; i < sums.length; i++) {
            sums[i] /= weights[i / 3];
        }
        return sums;
    }

    private static void add(int color, double[] across, double[] down, int columns, double[] sums, double[] weights) {
        for (int v = 1; v < down.length; v++) {
            for (int u = 1; u < across.length; u++) {
                int cell = ((int) down[0] + v - 1) * columns + (int) across[0] + u - 1;
                double weight = down[v] * across[u];
                weights[cell] += weight;
                for (int c = 0; c < 3; c++) {
                    sums[3 * cell + c] += weight * (color >> 16 - 8 * c & 255);
                }
            }
        }
    }

    /** For each pixel the first cell that it lies in, and its lengths in that and the following ones. */
    private static double[][] shares(int pixels, int cells) {
        double[][] shares = new double[pixels][];
        for (int p = 0; p < pixels; p++) {
            long from = (long) p * cells / pixels;
            long to = ((long) (p + 1) * cells - 1) / pixels;
            shares[p] = new double[(int) (to - from) + 2];
            shares[p][0] = from;
            for (long cell = from; cell <= to; cell++) {
                double low = Math.max(p, (double) cell * pixels / cells);
                double high = Math.min(p + 1, (double) (cell + 1) * pixels / cells);
                shares[p][(int) (cell - from) + 1] = high - low;
            }
        }
        return shares;
    }
}
