package dev.belay.report;

/** One transcript as text: every token on the colour of its refusal score, the closing tokens with their numbers. */
final class TokenStrip {
    private static final int PROMPT_CHARACTERS = 300;
    private static final int PROMPT_TOKENS = 200;
    private static final int THINKING_HEAD = 80;
    private static final int THINKING_TAIL = 160;

    private TokenStrip() {}

    /** @param label why this transcript is shown; may be empty */
    static String render(TraceSeries trace, String label) {
        StringBuilder out = new StringBuilder();
        out.append("<article class=\"card trace\"><header><h3>").append(HtmlText.escape(trace.id()));
        if (!label.isEmpty()) {
            out.append(" <span class=\"tag\">").append(HtmlText.escape(label)).append("</span>");
        }
        out.append("</h3><p class=\"drop\">plateau <b>").append(HtmlText.score(trace.plateau()));
        out.append("</b> → final <b class=\"fall\">").append(HtmlText.score(trace.finalScore()));
        out.append("</b><span class=\"cliff\">cliff ").append(HtmlText.score(trace.cliff()));
        out.append("</span></p></header>\n<dl>");
        prompt(out, trace);
        segment(out, trace, "thinking", trace.thinkingStart(), trace.thinkingEnd(), THINKING_HEAD, THINKING_TAIL);
        closing(out, trace);
        return out.append("</dl></article>\n").toString();
    }

    /** The prompt as a person wrote it, which opens to show its tokens; or its tokens where the text is not known. */
    private static void prompt(StringBuilder out, TraceSeries trace) {
        if (trace.prompt().isBlank()) {
            segment(out, trace, "prompt", 0, trace.thinkingStart(), 0, PROMPT_TOKENS);
            return;
        }
        out.append("<dt>prompt</dt><dd><details><summary>");
        out.append(HtmlText.escape(HtmlText.shorten(trace.prompt(), PROMPT_CHARACTERS)));
        out.append("</summary><div class=\"tokens prompt-tokens\">");
        range(out, trace, 0, trace.thinkingStart(), 0, PROMPT_TOKENS);
        out.append("</div></details></dd>\n");
    }

    private static void segment(
            StringBuilder out, TraceSeries trace, String name, int from, int to, int head, int tail) {
        if (from == to) {
            return;
        }
        out.append("<dt>")
                .append(name)
                .append("</dt><dd class=\"tokens ")
                .append(name)
                .append("-tokens\">");
        range(out, trace, from, to, head, tail);
        out.append("</dd>\n");
    }

    /** Shows the first {@code head} and the last {@code tail} tokens of a range. */
    private static void range(StringBuilder out, TraceSeries trace, int from, int to, int head, int tail) {
        int leftOut = to - from - head - tail;
        if (leftOut <= 0) {
            tokens(out, trace, from, to);
            return;
        }
        tokens(out, trace, from, from + head);
        out.append("<span class=\"gap\"> … ")
                .append(HtmlText.counted(leftOut, "token"))
                .append(" … </span>");
        tokens(out, trace, to - tail, to);
    }

    private static void tokens(StringBuilder out, TraceSeries trace, int from, int to) {
        for (int i = from; i < to; i++) {
            double score = trace.scores()[i];
            out.append("<span class=\"").append(Palette.ofScore(score)).append("\" title=\"");
            out.append("token ")
                    .append(i)
                    .append(": ")
                    .append(HtmlText.fixed(score, 3))
                    .append("\">");
            out.append(HtmlText.escape(HtmlText.visible(trace.tokens()[i]))).append("</span>");
        }
    }

    private static void closing(StringBuilder out, TraceSeries trace) {
        if (trace.closing() == 0) {
            return;
        }
        out.append("<dt>closing</dt><dd class=\"closing-tokens\">");
        for (int i = trace.thinkingEnd(); i < trace.length(); i++) {
            double score = trace.scores()[i];
            out.append("<span class=\"chip ").append(Palette.ofScore(score)).append("\" title=\"token ");
            out.append(i).append(": ").append(HtmlText.fixed(score, 3)).append("\"><code>");
            out.append(HtmlText.escape(HtmlText.visible(trace.tokens()[i])));
            out.append("</code><b>").append(HtmlText.score(score)).append("</b></span>");
        }
        out.append("</dd>\n");
    }
}
