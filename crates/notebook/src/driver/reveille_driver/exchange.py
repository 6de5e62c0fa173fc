"""What is asked of a kernel, and what it answers: its replies, its end, and whether it still hears."""

import asyncio
from queue import Empty

from nbclient.util import ensure_async

# What a dead kernel has still sent is there at once, if it is: after a pause of this length nothing more comes.
LAST_WORDS_SECONDS = 0.5
DEATH_POLL_SECONDS = 0.2
# Messages are told of; this is how long one of which nobody was told waits.
LOOK_SECONDS = 1
# A kernel that is asked once may have missed it: it is asked again. Each time it has half as long again to answer, for
# one that needs longer than this for every answer.
READY_SECONDS = 1
READY_GROWTH = 1.5
# A kernel's reply may come after the word that it has done with the cell. Then it is asked for something else: once that is
# answered, nothing more comes of what was asked before, but what is already on its way.
REPLY_LAG_SECONDS = 2
# What an answer beside the cells may take: the kernel has just answered the cell.
ANSWER_SECONDS = 60
# A cell that takes longer has its kernel asked for something that it does when the cell is over.
SILENT_SECONDS = 30
# After so long without a word of the kernel, what it did not say is not on its way.
HUSH_SECONDS = 5

# In the place of a reply that the kernel did not send, and of the reply of a kernel that sends none any more.
UNSENT = object()
LOST = object()


class NotReady(Exception):
    """The kernel was started and does not answer, or is gone."""


class Exchange:
    """Of one kernel: `kc` speaks to it and `km` knows its process. Whoever derives takes in what it publishes (`idle_after`)."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        # How many messages it has published.
        self.messages = 0
        # Set when the kernel says that it has done with a request.
        self.overs = {}
        # Whether it is beyond executing anything.
        self.is_lost = False

    async def ready(self, seconds):
        """Waits until the kernel answers and its outputs arrive."""
        deadline = asyncio.get_running_loop().time() + seconds
        patience = READY_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            request = await ensure_async(self.kc.kernel_info())
            heard = asyncio.gather(self.reply_to(request), self.idle_after(request))
            died = asyncio.ensure_future(self.death())
            done, _ = await asyncio.wait({heard, died}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            await cancelled(heard, died)
            patience *= READY_GROWTH
            if heard in done:
                return
            if died in done:
                raise NotReady("it ended before it answered")
        raise NotReady(f"it did not answer within {seconds} s")

    async def language_info(self, seconds=None):
        """Asks once more: the answer goes into the notebook, and shows that the kernel outlived the last cell. None is a kernel that
        died; an empty answer one that is busy for so long, with what a cell left for its loop."""
        request = await ensure_async(self.kc.kernel_info())
        try:
            reply = await asyncio.wait_for(self.answered(self.reply_to(request)), seconds)
        except asyncio.TimeoutError:
            return {}
        return None if reply is None else reply["content"].get("language_info")

    async def turn_loop(self):
        """ipykernel notes a signal that comes in an `await`, and looks at it when its loop turns next. A message turns it."""
        await ensure_async(self.kc.kernel_info())

    async def ask(self, expressions):
        """What expressions come to in the kernel, beside the cells: a reply's content. It may lack the answers."""
        if self.is_lost:
            return {}
        request = await ensure_async(
            self.kc.execute("", silent=True, store_history=False, user_expressions=expressions, stop_on_error=False)
        )
        try:
            reply = await asyncio.wait_for(self.answered(self.reply_to(request)), ANSWER_SECONDS)
        except asyncio.TimeoutError:
            reply = None
        return {} if reply is None else reply["content"]

    async def answered(self, waiting):
        """What `waiting` comes to, or None when the kernel died instead."""
        answer, died = asyncio.ensure_future(waiting), asyncio.ensure_future(self.death())
        try:
            await asyncio.wait({answer, died}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                await asyncio.wait({answer}, timeout=LAST_WORDS_SECONDS)
            return answer.result() if answer.done() else None
        finally:
            await cancelled(answer, died)

    async def reply_to(self, request, others=None):
        """The reply; meanwhile the events of `others` are set as those are answered."""
        while True:
            reply = await next_message(self.kc.shell_channel)
            parent = reply["parent_header"].get("msg_id")
            if parent == request:
                return reply
            if others and parent in others:
                others[parent].set()

    async def reply_if_any(self, request, others, idle):
        """The reply, or UNSENT: ipykernel sends none for what JSON does not hold, and says in its log only why; or LOST."""
        reply = asyncio.ensure_future(self.reply_to(request, others))
        next_one = asyncio.Event()
        heard = asyncio.ensure_future(next_one.wait())
        try:
            await asyncio.wait({reply, idle}, timeout=SILENT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if not reply.done() and not idle.done() and await self.gets_lost(reply, idle, others):
                return LOST
            await asyncio.wait({reply, idle}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({reply}, timeout=REPLY_LAG_SECONDS)
            if not reply.done():
                others[await ensure_async(self.kc.kernel_info())] = next_one
                await asyncio.wait({reply, heard}, return_when=asyncio.FIRST_COMPLETED)
                await asyncio.wait({reply}, timeout=REPLY_LAG_SECONDS)
            return reply.result() if reply.done() else UNSENT
        finally:
            await cancelled(reply, heard)

    async def gets_lost(self, reply, idle, others):
        """Whether the kernel answers what comes after the cell, and says neither of the cell nor of that that it has done with it.

        ipykernel flushes `sys.stdout` and `sys.stderr` before it sends a cell's reply, and again before it says that it has done. A
        cell that closed one, or put something without `flush` in its place, has neither said of it, nor of any that follows. A
        cell may serve its kernel's requests itself (jupyter_ui_poll): then what is asked is answered in its middle, and done with.
        """
        asked = await ensure_async(self.kc.kernel_info())
        answered, over = others[asked], self.overs[asked] = asyncio.Event(), asyncio.Event()
        waiting = {reply, idle}
        events = [asyncio.ensure_future(event.wait()) for event in (answered, over)]
        try:
            await asyncio.wait({*waiting, events[0]}, return_when=asyncio.FIRST_COMPLETED)
            await self.hush({*waiting, events[1]}, HUSH_SECONDS)
            return not (reply.done() or idle.done() or over.is_set())
        finally:
            await cancelled(*events)
            del self.overs[asked]

    async def hush(self, ends, seconds):
        """Takes in what the kernel has sent: until one of `ends` is done, or nothing more came for so long."""
        before = None
        while before != self.messages and not any(end.done() for end in ends):
            before = self.messages
            await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    async def death(self):
        while await self.km.is_alive():
            await asyncio.sleep(DEATH_POLL_SECONDS)

    def end(self):
        process = getattr(self.km.provisioner, "process", None)
        return getattr(process, "returncode", None)


async def next_message(channel):
    """A channel's next message. ZeroMQ tells once that a message has come, and a request that is sent just then takes that word
    away: jupyter_client sends past asyncio's socket. So whoever waits looks for themselves now and then."""
    while True:
        try:
            return await channel.get_msg(timeout=LOOK_SECONDS)
        except Empty:
            pass


async def cancelled(*tasks):
    """Cancels and waits until it took effect, so that no message is taken twice or lost to a dead task."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
