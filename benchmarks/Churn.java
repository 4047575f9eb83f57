import java.util.Random;

/** Fills a table of byte arrays within some seconds, then replaces them for ever: garbage, and a heap that is warm. */
final class Churn {
    public static void main(String[] words) throws InterruptedException {
        byte[][] table = new byte[Integer.parseInt(words[0])][];
        double fillNanos = 1e9 * Double.parseDouble(words[1]);
        Random luck = new Random(1);
        long begun = System.nanoTime();
        for (long count = 0; ; count++) {
            double filled = Math.min((System.nanoTime() - begun) / fillNanos, 1.0);
            int size = 200 + luck.nextInt(2000);
            table[luck.nextInt(1 + (int) (filled * (table.length - 1)))] = new byte[size];
            if (count % 100 == 0) {
                Thread.sleep(1);
            }
        }
    }
}
