"""What we know of servers, channels and threads, and how to find out what we do not.

Knows: what the gateway told, and which REST call fills a gap (after a cold RESUME everything is one). Must not know:
messages, the engine. A channel that cannot be looked up now raises `NotSent` or `Ambiguous`; a guess would give the
same thread two names. Of one that nobody can look up (404) we know what our own conversations say, else it is a plain
channel: somebody has just spoken there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from http import HTTPStatus

from bots.discord import faults, ids, rooms, wire_rooms
from bots.discord.faults import Denied
from bots.discord.fields import Raw, inside, items, mapping, required, snowflake
from bots.discord.rest import Rest
from bots.discord.rooms import PUBLIC_THREAD, TEXT, Room, Server
from core.domain.errors import BadInput
from core.domain.keys import Audience, Place

OPENERS_KEPT = 10_000
_LOCALES_KEPT = 20_000


class Directory:
    """Servers and rooms by id. `me`: our user id, known after the login."""

    def __init__(self, rest: Rest) -> None:
        self.me = ""
        self._rest = rest
        self._servers: dict[str, Server] = {}
        self._rooms: dict[str, Room] = {}
        self._openers: OrderedDict[str, str] = OrderedDict()
        self._locales: OrderedDict[str, str] = OrderedDict()
        self._lived_in: dict[str, Place] = {}  # by thread

    # ------------------------------------------------------------------------------ what we are told

    def gather(self, raw: Raw) -> None:
        """GUILD_CREATE."""
        found = wire_rooms.gathered(raw, self.me)
        self._servers[found.server.id] = found.server
        for room in found.rooms:
            self._rooms[room.id] = room

    def lived_in(self, places: Iterable[Place]) -> None:
        """Where conversations of ours live."""
        self._lived_in = {each.thread: each for each in places if each.thread}

    def drop_server(self, guild: str) -> None:
        """GUILD_DELETE: we were thrown out."""
        self._servers.pop(guild, None)
        for room in [each.id for each in self._rooms.values() if each.guild == guild]:
            del self._rooms[room]

    def learn(self, raw: Raw, guild: str = "") -> Room:
        """A channel or thread that is new or has changed; what the payload leaves out stays."""
        room = wire_rooms.room(raw, guild)
        known = self._rooms.get(room.id)
        if known is not None:
            room = replace(
                room, joined=room.joined or known.joined, last_message=room.last_message or known.last_message
            )
        self._rooms[room.id] = room
        return room

    def drop(self, room_id: str) -> None:
        """A channel or thread was deleted, and the threads below it."""
        self._rooms.pop(room_id, None)
        for thread in [each.id for each in self._rooms.values() if each.parent == room_id and each.is_thread]:
            del self._rooms[thread]

    def sync_threads(self, raw: Raw) -> None:
        """THREAD_LIST_SYNC: channels that we may see now."""
        guild = snowflake(raw, "guild_id")
        for each in items(raw, "threads"):
            self.learn(each, guild)

    def role(self, event: str, raw: Raw) -> None:
        """GUILD_ROLE_CREATE, _UPDATE, _DELETE."""
        known = self._servers.get(snowflake(raw, "guild_id"))
        if known is None:
            return
        gone = event == "GUILD_ROLE_DELETE"
        changed = wire_rooms.without_role(known, required(raw, "role_id")) if gone else wire_rooms.with_role(known, raw)
        self._servers[known.id] = changed

    def member(self, raw: Raw) -> None:
        """GUILD_MEMBER_UPDATE; only our own comes without a privileged intent."""
        known = self._servers.get(snowflake(raw, "guild_id"))
        if known is not None and snowflake(inside(raw, "user"), "id") == self.me:
            self._servers[known.id] = replace(known, mine=wire_rooms.member_roles(raw))

    def members(self, raw: Raw) -> None:
        """THREAD_MEMBERS_UPDATE: we came into a thread, or left it."""
        known = self._rooms.get(snowflake(raw, "id"))
        if known is None:
            return
        added = any(snowflake(each, "user_id") == self.me for each in items(raw, "added_members"))
        gone = raw.get("removed_member_ids")
        left = isinstance(gone, list) and self.me in gone
        self._rooms[known.id] = replace(known, joined=(known.joined or added) and not left)

    def joins(self, room_id: str) -> None:
        """We have written there: Discord has made us a member of the thread."""
        known = self._rooms.get(room_id)
        if known is not None and known.is_thread and not known.joined:
            self._rooms[room_id] = replace(known, joined=True)

    def opened(self, thread: str, person: str) -> None:
        """A thread was opened for this person."""
        self._openers[thread] = person
        self._openers.move_to_end(thread)
        if len(self._openers) > OPENERS_KEPT:
            self._openers.popitem(last=False)

    def said_in(self, room_id: str, message: str) -> None:
        """The newest message of a room."""
        known = self._rooms.get(room_id)
        if known is not None:
            self._rooms[room_id] = replace(known, last_message=message)

    def speaks(self, user: str, locale: str) -> None:
        """A command or a press tells the person's own language; a message does not."""
        self._locales[user] = locale
        self._locales.move_to_end(user)
        while len(self._locales) > _LOCALES_KEPT:
            self._locales.popitem(last=False)

    # ------------------------------------------------------------------------------------- looking

    def locale(self, user: str) -> str:
        """The person's own language as last told; "" when it never was."""
        return self._locales.get(user, "")

    def knows(self, room_id: str) -> bool:
        """Whether this channel or thread is known to exist."""
        return room_id in self._rooms

    def threads_of_ours(self, room_id: str) -> list[tuple[str, str]]:
        """The threads of ours in a room, or the room itself when it is one, with those whom they were opened for."""
        found = [each for each in self._rooms.values() if room_id in (each.id, each.parent) and each.owner == self.me]
        known = [(each.id, self._openers.get(each.id, "")) for each in found]
        return [each for each in known if each[1]]

    def joined(self, room_id: str) -> bool:
        """Whether we take part in this thread."""
        known = self._rooms.get(room_id)
        return known is not None and (known.joined or known.owner == self.me)

    def is_plain_channel(self, room_id: str) -> bool:
        """Whether it is known to be a channel of a server and no thread."""
        known = self._rooms.get(room_id)
        return known is not None and bool(known.guild) and not known.is_thread

    def all(self) -> Iterator[Room]:
        """Every room that we were told of."""
        return iter(tuple(self._rooms.values()))

    async def room(self, room_id: str, guild: str = "") -> Room:
        """A channel or thread. Raises `Denied` when it is gone or closed to us."""
        known = self._rooms.get(room_id)
        if known is not None:
            return known
        return self.learn(mapping(await self._rest.call("GET", f"/channels/{room_id}")), guild)

    async def spoken_in(self, room_id: str, guild: str) -> Room:
        """The channel or thread that somebody has just spoken in, so it is there. Raises `Denied`: closed to us."""
        try:
            return await self.room(room_id, guild)
        except Denied as no:
            if no.status != HTTPStatus.NOT_FOUND:
                raise
        place = self._lived_in.get(room_id)
        if place is not None:
            return Room(id=room_id, kind=PUBLIC_THREAD, guild=place.workspace, parent=place.channel, owner=self.me)
        return Room(id=room_id, kind=TEXT, guild=guild)

    async def server(self, guild: str) -> Server:
        """A server with its roles and ours."""
        known = self._servers.get(guild)
        if known is None:
            known = self._servers[guild] = await self._asked(guild)
        return known

    async def _asked(self, guild: str) -> Server:
        try:
            found = wire_rooms.server(mapping(await self._rest.call("GET", f"/guilds/{guild}")), self.me)
            me = mapping(await self._rest.call("GET", f"/guilds/{guild}/members/{self.me}"))
        except Denied as no:
            if no.status != HTTPStatus.NOT_FOUND:
                raise
            return Server(id=guild)  # nothing is known of it
        return replace(found, mine=wire_rooms.member_roles(me))

    async def home(self, room: Room) -> Room:
        """The room whose rights count: the parent of a thread, else itself."""
        if not room.is_thread or not room.parent:
            return room
        return await self.spoken_in(room.parent, room.guild)

    async def readers(self, room: Room) -> Audience:
        """Who can read there. What we cannot look at ourselves is not public."""
        if not room.guild:
            return rooms.readers(Server(id=""), room, room)
        try:
            return rooms.readers(await self.server(room.guild), await self.home(room), room)
        except Denied:
            return Audience.PRIVATE

    async def audience(self, place: Place) -> Audience:
        """Who can read at a place."""
        if place.workspace == ids.DIRECT:
            return Audience.DM
        try:
            room = await self.room(ids.channel_of(place), place.workspace)
        except Denied as no:
            if no.number != faults.UNKNOWN_CHANNEL or not place.thread:
                raise
            room = await self.room(place.channel, place.workspace)  # the thread is not opened yet
        return await self.readers(room)

    async def opens_threads(self, room: Room) -> bool:
        """Whether a conversation begun in this channel gets a thread of its own."""
        return rooms.opens_threads(await self.server(room.guild), room, self.me)

    async def opener(self, thread: Room) -> str:
        """For whom a thread of ours was opened: who wrote the message that it hangs on; "" when that is gone."""
        if thread.owner != self.me:
            return ""
        if thread.id not in self._openers:
            try:
                starter = mapping(await self._rest.call("GET", f"/channels/{thread.parent}/messages/{thread.id}"))
                self.opened(thread.id, snowflake(inside(starter, "author"), "id"))
            except (Denied, BadInput):
                self.opened(thread.id, "")
        return self._openers[thread.id]
