"""What people do on the loopback Discord: write, reply, press, choose, type commands, edit, delete.

Knows: how an act of a person becomes gateway events. Must not know: the program under test. Names are enough: a person
or channel is found by the name that the test has given it.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

from tests.kit.discord_gateway import Gateway
from tests.kit.discord_interactions import COMMAND, COMPLETION, COMPONENT, SUBMIT, Interaction, Interactions
from tests.kit.discord_messages import Messages
from tests.kit.discord_world import DM, Channel, Guild, Payload, Person, World

CHAT_INPUT, MESSAGE_COMMAND = 1, 3
GUILD_INSTALL, USER_INSTALL = "0", "1"
UPLOAD_MAX_BYTES = 10_485_760


class People:
    """Everybody who is not the bot."""

    def __init__(self, world: World, messages: Messages, interactions: Interactions, gateway: Gateway) -> None:
        self.world = world
        self.locale = "en-US"
        self._messages = messages
        self._interactions = interactions
        self._gateway = gateway

    # -------------------------------------------------------------------------------------- places

    def guild(self, name: str = "home", *, bot_in: bool = True) -> Guild:
        """The guild of that name, made when new."""
        for each in self.world.guilds.values():
            if each.name == name:
                return each
        made = self.world.guild(name, bot_in=bot_in)
        if bot_in:
            self._gateway.tell("GUILD_CREATE", self.world.guild_payload(made), guild=made)
        return made

    def channel(self, name: str, *, guild: str = "home", kind: int = 0, private: bool = False) -> Channel:
        """The channel of that name, made when new."""
        for each in self.world.channels.values():
            if each.name == name and each.guild_id and not each.is_thread:
                return each
        made = self.world.channel(self.guild(guild), name, kind=kind, private=private)
        self._gateway.tell("CHANNEL_CREATE", self.world.channel_payload(made), made)
        return made

    def dm(self, name: str) -> Channel:
        """Somebody's direct conversation with the bot."""
        return self.world.direct(self.world.person(name))

    def thread(self, name: str, parent: Channel, owner: str, *, kind: int = 11) -> Channel:
        """A thread that a person opens."""
        made = self.world.thread(parent, name, self.world.person(owner).id, kind=kind)
        self._gateway.tell("THREAD_CREATE", self.world.channel_payload(made), made)
        return made

    def archive(self, thread: Channel, *, locked: bool = False) -> None:
        """A thread goes to sleep, or is locked by a moderator."""
        thread.archived, thread.locked = True, locked
        self._gateway.tell("THREAD_UPDATE", self.world.channel_payload(thread), thread)

    def delete_channel(self, channel: Channel) -> None:
        """A channel or thread goes, with everything in it."""
        shown = self.world.channel_payload(channel)
        event = "THREAD_DELETE" if channel.is_thread else "CHANNEL_DELETE"
        self._gateway.tell(event, shown, channel)
        del self.world.channels[channel.id]
        del self.world.messages[channel.id]

    def kick_bot(self, guild: Guild) -> None:
        """The bot is thrown out of a guild."""
        self._gateway.tell("GUILD_DELETE", {"id": guild.id}, guild=guild)
        guild.bot_in = False

    # ------------------------------------------------------------------------------------ messages

    def say(
        self,
        who: str,
        channel: Channel,
        text: str,
        *,
        reply_to: str = "",
        ping: bool = True,
        files: Sequence[tuple[str, str, bytes]] = (),
    ) -> Payload:
        """Somebody writes; `@bot` in the text mentions the bot, `@name` a person. Files: name, media type, bytes."""
        data: Payload = {"content": self._mentions(text)}
        if reply_to:
            data |= {"message_reference": {"message_id": reply_to}, "no_ping": not ping}
        if files:
            data["attachments"] = [self._messages.attach(*each) for each in files]
            data["embeds"] = [{}]  # a message of files alone is not empty
        return self._messages.post(channel, self.world.person(who), data)

    def mention(self, who: str, channel: Channel, text: str, **more: str) -> Payload:
        """Somebody writes to the bot."""
        return self.say(who, channel, f"@bot {text}", **more)  # type: ignore[arg-type]

    def edit(self, channel: Channel, message_id: str, text: str) -> None:
        """Somebody changes what they wrote."""
        self._messages.edit(channel, message_id, {"content": self._mentions(text)})

    def delete(self, channel: Channel, message_id: str) -> None:
        """Somebody deletes a message."""
        self._messages.delete(channel, message_id)

    def _mentions(self, text: str) -> str:
        text = text.replace("@bot", f"<@{self.world.bot.id}>")
        for each in self.world.people.values():
            text = text.replace(f"@{each.name}", f"<@{each.id}>")
        return text

    # -------------------------------------------------------------------------------- interactions

    def press(self, who: str, message: Payload, label: str) -> Interaction:
        """Somebody presses the button, or chooses the option, that reads `label`."""
        for row in message["components"]:
            for each in row["components"]:
                if each.get("label") == label:
                    return self.press_id(who, message, each["custom_id"])
                for option in each.get("options", ()):
                    if option["label"] == label:
                        return self.press_id(who, message, each["custom_id"], values=[option["value"]])
        raise AssertionError(f"no {label!r} in {message['components']}")

    def press_id(
        self, who: str, message: Payload, custom_id: str, *, values: Sequence[str] | None = None
    ) -> Interaction:
        """Somebody presses a component by its id, also one that a newer edit has taken away."""
        channel = self.world.channels[message["channel_id"]]
        made = self._interactions.make(COMPONENT, self.world.person(who), channel, message)
        data: Payload = {"custom_id": custom_id, "component_type": 2 if values is None else 3, "id": 1}
        if values is not None:
            data["values"] = list(values)
        self._send(made, data, message=message)
        return made

    def slash(self, who: str, channel: Channel, name: str, **options: str) -> Interaction:
        """Somebody types a command."""
        made = self._interactions.make(COMMAND, self.world.person(who), channel)
        given = [{"name": key, "type": 3, "value": value} for key, value in options.items()]
        self._send(made, {"id": "1", "name": name, "type": CHAT_INPUT} | ({"options": given} if given else {}))
        return made

    def complete(self, who: str, channel: Channel, name: str, option: str, typed: str) -> Interaction:
        """Somebody has typed so much of an option, and looks at what is offered."""
        made = self._interactions.make(COMPLETION, self.world.person(who), channel)
        given = {"name": option, "type": 3, "value": typed, "focused": True}
        self._send(made, {"id": "1", "name": name, "type": CHAT_INPUT, "options": [given]})
        return made

    def menu(self, who: str, channel: Channel, name: str, message: Payload) -> Interaction:
        """Somebody chooses a command from the menu of a message."""
        made = self._interactions.make(COMMAND, self.world.person(who), channel)
        resolved = {"messages": {message["id"]: deepcopy(message)}}
        data = {"id": "1", "name": name, "type": MESSAGE_COMMAND, "target_id": message["id"], "resolved": resolved}
        self._send(made, data)
        return made

    def submit(self, who: str, form: Interaction, **values: str) -> Interaction:
        """Somebody fills in the form that they were shown."""
        assert form.modal is not None, "no form was shown"
        made = self._interactions.make(SUBMIT, self.world.person(who), form.channel, form.source)
        rows = [
            {"type": 18, "id": n * 2 + 1, "component": {"type": 4, "id": n * 2 + 2, "custom_id": key, "value": value}}
            for n, (key, value) in enumerate(values.items())
        ]
        self._send(made, {"custom_id": form.modal["custom_id"], "components": rows}, message=form.source)
        return made

    def _send(self, made: Interaction, data: Payload, *, message: Payload | None = None) -> None:
        channel, person = made.channel, made.person
        payload: Payload = {
            "id": made.id,
            "application_id": self.world.app_id,
            "type": made.kind,
            "token": made.token,
            "version": 1,
            "data": data,
            "channel_id": channel.id,
            "channel": self.world.channel_payload(channel) | {"permissions": "0"},
            "locale": self.locale,
            "entitlements": [],
            "attachment_size_limit": UPLOAD_MAX_BYTES,
        }
        payload |= self._context(channel, person)
        if message is not None:
            payload["message"] = deepcopy(message)
        self._gateway.to_all("INTERACTION_CREATE", payload, channel.guild_id)

    def _context(self, channel: Channel, person: Person) -> Payload:
        if channel.type == DM or not channel.guild_id:
            owners = {USER_INSTALL: person.id, GUILD_INSTALL: "0"}
            return {"user": person.payload(), "context": 1, "authorizing_integration_owners": owners}
        guild = self.world.guilds[channel.guild_id]
        owners = {GUILD_INSTALL: guild.id} if guild.bot_in else {USER_INSTALL: person.id}
        member = self.world.member(person, guild) | {"user": person.payload(), "permissions": "0"}
        return {
            "guild_id": guild.id,
            "guild": {"id": guild.id, "locale": "en-US", "features": []},
            "guild_locale": "en-US",
            "member": member,
            "context": 0,
            "authorizing_integration_owners": owners,
            "app_permissions": str(self.world.rights(channel)),
        }
