"""A model behind an OpenAI-compatible chat-completions API: `--model openai:NAME --base-url URL`.

Works with vLLM, llama.cpp's server, LM Studio, OpenAI and whatever else speaks `POST URL/chat/completions`, for the
methods without think tokens (`chat_use.py`). Notable:

- Requests go to the base URL and nowhere else: there is no default, and redirects are not followed. The key comes
  from the environment and is struck out of whatever a server sends back.
- Here it is the server that tokenises, and most servers turn the text of a control token into the token. Content is
  therefore spelt so that it cannot become one (`inert`).
- Retries, back-off and Retry-After are the work of the `openai` package, time-outs of the HTTP client below it.
"""

from __future__ import annotations

import base64
import io
import itertools
import logging
import os
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reason_iad.backbones.chat_use import KEY_VARIABLE, PREFIX, TIMEOUT, api_address, api_name
from reason_iad.backbones.prompt import Data, ImageSlot
from reason_iad.errors import ConfigError, MissingExtraError, ModelError

if TYPE_CHECKING:
    import openai
    from PIL import Image

    from reason_iad.backbones.chat_reply import ChatReply
    from reason_iad.backbones.prompt import Part, Prompt

log = logging.getLogger(__name__)

RETRIES = 3
"""Further attempts after a time-out, a lost connection, or one of the statuses 408, 409, 429 and 5xx."""
LONGEST_SIDE = 1024
"""Larger images are scaled down to it, in pixels: the models behind such APIs resize or tile them anyway."""
CONTEXT_LENGTH = 8192
"""Tokens assumed, since an API does not say; it only bounds how much knowledge is retrieved."""
ANSWER_ONLY = "Answer with the letter of one option and nothing else."
_ANSWER_TOKENS = 8  # room for 'Answer: (A)'; the rest of a longer answer is of no use
_PLACEHOLDER = "none"  # the client insists on a key, local servers ask for none
_SECRET = 8  # shorter keys ('none', 'EMPTY') are no secrets, and striking them out would garble texts


def load_chat_model(model: str, base_url: str | None = None, timeout: float = TIMEOUT) -> ChatAPI:
    """A client for a model behind an API; nothing is sent yet.

    Args:
        model: 'openai:NAME'.
        base_url: address of the API, usually ending in '/v1'; None: that of OPENAI_BASE_URL.
        timeout: seconds that one attempt may wait for the server.

    Raises:
        ConfigError: there is no usable address, or OPENAI_API_KEY cannot be a key.
        MissingExtraError: the `openai` package is not installed.
    """
    return ChatAPI(model, api_address(base_url), _key(), timeout)


def _key() -> str:
    """The key of the environment; '' without one. It is repeated nowhere, not even in an error."""
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not re.fullmatch(r"[\x21-\x7e]*", key):
        raise ConfigError(f"{KEY_VARIABLE} holds characters that no key has; set it again.")
    return key


def inert(text: str) -> str:
    """A text that no server's tokenizer can take for control tokens; it reads the same.

    A space goes behind the bracket of '<|im_end|>', '</s>', '<image>', '[INST]' and their like, whatever the
    family; '<0.5 mm' and '[knowledge]' stay. Lone surrogates, which no request can carry, become '?'.
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    return re.sub(r"<(?=[^\s\d=<])|\[(?=/?[A-Z][A-Z_]*\])", r"\g<0> ", text)


def chat_messages(prompt: Prompt, images: Sequence[str]) -> list[dict[str, Any]]:
    """The prompt as messages: the instructions as 'system', all content as parts of one 'user' message.

    Args:
        prompt: without a latent slot.
        images: data URIs, in the order of its image slots.
    """
    content: list[dict[str, Any]] = []
    parts: Sequence[Part] = (*prompt.head, *prompt.tail)
    for kind, run in itertools.groupby(parts, type):  # texts in a row are one: some servers refuse a mere line end
        if kind is Data:
            text = "".join(part.text for part in run if isinstance(part, Data))
            content.append({"type": "text", "text": inert(text)})
        else:
            slots = (part for part in run if isinstance(part, ImageSlot))
            content += ({"type": "image_url", "image_url": {"url": images[slot.index]}} for slot in slots)
    return [{"role": "system", "content": prompt.system}, {"role": "user", "content": content}]


def _wishes(max_tokens: int, logprobs: bool) -> dict[str, tuple[dict[str, Any], ...]]:
    """Fields of a request, best first, by the word that an error message has when a server refuses them."""
    wishes: dict[str, tuple[dict[str, Any], ...]] = {
        "max_completion_tokens": ({"max_tokens": max_tokens}, {"max_completion_tokens": max_tokens}),
        "temperature": ({"temperature": 0}, {}),
    }
    if logprobs:  # 20 is the most that the OpenAI API and vLLM give; some give 5, some none
        wishes["logprobs"] = (*({"logprobs": True, "top_logprobs": most} for most in (20, 5)), {})
    return wishes


class ChatAPI:
    """A model behind a chat-completions API. Satisfies the `ChatModel` protocol.

    Attributes:
        version: its name with the address of the server; the weights are not known.

    Raises:
        MissingExtraError: the `openai` package is not installed.
    """

    context_length = CONTEXT_LENGTH

    def __init__(self, model: str, address: str, key: str, timeout: float) -> None:
        try:
            import openai
        except ImportError as error:
            raise MissingExtraError(f"The model '{model}'", "api") from error
        from reason_iad.schema import ModelVersion

        self._model, self._address, self._key, self._timeout = model.removeprefix(PREFIX), address, key, timeout
        self._steps_down = Counter[str]()
        self._warned = False
        self._client = openai.OpenAI(
            api_key=key or _PLACEHOLDER,
            base_url=address,
            timeout=timeout,
            max_retries=RETRIES,
            http_client=openai.DefaultHttpxClient(follow_redirects=False),
        )
        self.version = ModelVersion(
            name=api_name(model, address), family="chat API", sha256="unknown", device="server", dtype="unknown"
        )

    def count_tokens(self, text: str) -> int:
        """An estimate: a token per three bytes, where English has one per four."""
        return len(text.encode("utf-8", "replace")) // 3 + 1

    def encode_image(self, image: Image.Image) -> str:
        """A PNG (lossless: a scratch is easily lost in JPEG) as a data URI, at most `LONGEST_SIDE` pixels long."""
        scale = LONGEST_SIDE / max(image.size)
        if scale < 1:
            from PIL import Image as Pillow

            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            image = image.resize(size, Pillow.Resampling.LANCZOS)
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"

    def choose(
        self, prompt: Prompt, images: Sequence[str], letters: Sequence[str], thoughts: str | None = None
    ) -> list[float]:
        """Distribution over the option letters.

        The model has to answer with a letter. What a probability means: where the model wrote its letter, the
        server lists the (at most 20) most probable tokens; this is the letter's share among the letters in that
        list. Spellings such as 'A', ' A' and 'A)' count together, a letter not listed counts as 0. As with local
        models it is not calibrated. From a server without log-probabilities the answered letter has probability
        1, which is then a plain answer and no measure of certainty; a warning says so once.

        Raises:
            ModelError: the server cannot be reached or refuses, or the answer is none of the letters.
        """
        messages = chat_messages(prompt, images)
        if thoughts is None:
            messages[-1]["content"].append({"type": "text", "text": ANSWER_ONLY})
        else:
            messages.append({"role": "assistant", "content": inert(thoughts)})
            messages.append({"role": "user", "content": ANSWER_ONLY})
        reply = self._ask(messages, _ANSWER_TOKENS, logprobs=True)
        if (probabilities := reply.probabilities(letters)) is not None:
            return probabilities
        if not self._warned:
            log.warning("%s gives no log-probabilities: its answers count with probability 1", self._address)
            self._warned = True
        answered = reply.letter(letters)
        return [float(letter == answered) for letter in letters]

    def write(self, prompt: Prompt, images: Sequence[str], max_tokens: int) -> str:
        """Text of at most so many tokens.

        Raises:
            ModelError: the server cannot be reached or refuses, or its answer holds no text.
        """
        return self._ask(chat_messages(prompt, images), max_tokens).text

    def _ask(self, messages: list[dict[str, Any]], max_tokens: int, *, logprobs: bool = False) -> ChatReply:
        """One request. A server that cannot do all that is wished for says so once; then it is asked for less."""
        import openai

        from reason_iad.backbones.chat_reply import ChatReply

        create: Any = self._client.chat.completions.with_raw_response.create
        wishes = _wishes(max_tokens, logprobs)
        while True:
            fields: dict[str, Any] = {}
            for name, ladder in wishes.items():
                fields |= ladder[self._steps_down[name]]
            try:
                reply = create(model=self._model, messages=messages, **fields)
            except openai.APIError as error:
                if not self._step_down(error, wishes):
                    raise self._explained(error) from None  # the cause may hold the key, if the server repeats it
            else:
                return ChatReply(self._struck_out(reply.content.decode("utf-8", "replace")).encode())

    def _step_down(self, error: openai.APIError, wishes: dict[str, tuple[dict[str, Any], ...]]) -> bool:
        """Wish for less of what the error names. False: it names nothing of which there is less."""
        import openai

        if isinstance(error, openai.BadRequestError | openai.UnprocessableEntityError):
            words = f"{error.param} {_words(error)}"
            for name, ladder in wishes.items():
                if name in words and self._steps_down[name] + 1 < len(ladder):
                    self._steps_down[name] += 1
                    return True
        return False

    def _struck_out(self, text: str) -> str:
        return text.replace(self._key, "[key]") if len(self._key) >= _SECRET else text

    def _explained(self, error: openai.APIError) -> ModelError:
        """One sentence: what happened at which address, in the server's own words, and what to do."""
        import openai

        where = f"The server at {self._address}"
        if isinstance(error, openai.APITimeoutError):
            return ModelError(
                f"{where} did not answer within {self._timeout:g} s ({RETRIES + 1} attempts); "
                "raise --timeout, or see whether it is overloaded."
            )
        if not isinstance(error, openai.APIStatusError):
            cause = error.__cause__ or error
            return ModelError(
                f"{where} cannot be reached ({self._said(str(cause))}, {RETRIES + 1} attempts); "
                "check --base-url and that the server runs."
            )
        status = error.status_code
        advice = next((words for statuses, words in _ADVICE if status in statuses), _OTHERWISE)
        return ModelError(f"{where} answered HTTP {status}: {self._said(_words(error))}; {advice}.")

    def _said(self, text: str) -> str:
        from reason_iad.backbones.chat_reply import shortened

        return shortened(self._struck_out(text))


_ADVICE: tuple[tuple[Sequence[int], str], ...] = (
    ((401, 403), f"set {KEY_VARIABLE} to a key for this server"),
    ((404, 405), "check the model's name and --base-url, which usually ends in /v1"),
    ((408, 429), "ask again later, or for fewer images at a time"),
    (range(300, 400), "redirects are not followed, so give the final address as --base-url"),
    (range(500, 600), "see the server's log, or ask again later"),
)
_OTHERWISE = "check that the model takes images and that its context is long enough"


def _words(error: openai.APIStatusError) -> str:
    """What the server says, as far as it says it in one of the usual places."""
    body = error.body
    for name in ("message", "detail", "error"):
        if isinstance(body, dict) and isinstance(body.get(name), str):
            return str(body[name])
    return error.response.text or error.response.reason_phrase
