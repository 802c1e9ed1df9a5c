"""What registers hold, and what reading them may answer."""

from fractions import Fraction

import pytest

from kubectl_packetpath.walk.nftables.registers import Choice, DoubtError, Registers, Undecided, slot_of


@pytest.mark.parametrize(("register", "slot"), [(1, 0), (2, 4), (4, 12), (8, 0), (9, 1), (23, 15)])
def test_a_register_begins_at_its_slot(register: int, slot: int) -> None:
    """The four old registers are four slots each, the sixteen new ones one each."""
    assert slot_of(register) == slot


@pytest.mark.parametrize("register", [0, 5, 7, 24])
def test_there_is_no_other_register(register: int) -> None:
    """Zero is the verdict, which holds no data."""
    with pytest.raises(ValueError, match="no register"):
        slot_of(register)


def test_a_value_fills_whole_slots() -> None:
    """A port is followed by two zero bytes, as in the key of a concatenation."""
    registers = Registers()
    registers.write(0, b"\xff" * 8)

    registers.write(0, b"\x00\x50")

    assert registers.read(0, 8) == b"\x00\x50\x00\x00\xff\xff\xff\xff"


def test_a_doubt_is_met_by_whoever_reads_it() -> None:
    """Also as a part of a longer key, and until something known is written over it."""
    registers = Registers()
    registers.write(1, Undecided("why"), 2)

    with pytest.raises(DoubtError):
        registers.read(0, 8)
    assert registers.read(0, 4) == bytes(4)
    registers.write(1, b"\x01")
    assert registers.read(0, 8) == bytes(4) + b"\x01\0\0\0"


def test_a_copy_goes_its_own_way() -> None:
    """Branches do not see each other's registers."""
    registers = Registers()
    registers.write(0, b"\x01\x02\x03\x04")
    other = registers.copy()

    other.write(0, b"\x05\x06\x07\x08")

    assert registers.read(0, 4) == b"\x01\x02\x03\x04"


def test_a_choice_has_equal_shares_and_a_byte_order() -> None:
    """`numgen` writes in the machine's order; what turns the bytes round keeps the chance."""
    choice = Choice(range(3))

    assert choice.share(2) == Fraction(2, 3)
    assert choice.bytes_of(1) == b"\x01\0\0\0"
    assert Choice(range(3), big_endian=True).bytes_of(1) == b"\0\0\0\x01"
    assert choice.among([2]).share(1) == 1
