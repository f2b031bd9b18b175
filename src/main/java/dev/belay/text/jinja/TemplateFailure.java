package dev.belay.text.jinja;

/** Why a template cannot be read or rendered, in one line; {@link JinjaTemplate} hands the message on. */
public final class TemplateFailure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    TemplateFailure(String message) {
        super(message);
    }
}
