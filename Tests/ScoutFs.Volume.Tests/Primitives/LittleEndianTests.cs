using System;
using NUnit.Framework;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Primitives;

/// <summary>The integers of the format: least significant byte first on every host (format §1).</summary>
[TestFixture]
internal sealed class LittleEndianTests
{
    [Test]
    public void Le16_Stored_LeastSignificantByteFirst()
    {
        Le16 le = 0x1234;
        Assert.That(Disk.Bytes(in le).ToArray(), Is.EqualTo(new byte[] { 0x34, 0x12 }));
        Assert.That((ushort)le, Is.EqualTo(0x1234));
    }

    [Test]
    public void Le32_Stored_LeastSignificantByteFirst()
    {
        Le32 le = 0x12345678;
        Assert.That(Disk.Bytes(in le).ToArray(), Is.EqualTo(new byte[] { 0x78, 0x56, 0x34, 0x12 }));
        Assert.That((uint)le, Is.EqualTo(0x12345678));
    }

    [Test]
    public void Le64_Stored_LeastSignificantByteFirst()
    {
        Le64 le = 0x1122334455667788;
        Assert.That(
            Disk.Bytes(in le).ToArray(),
            Is.EqualTo(new byte[] { 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11 }));
        Assert.That((ulong)le, Is.EqualTo(0x1122334455667788));
    }

    [Test]
    public void LeI64_MinusTwo_IsTwosComplement()
    {
        LeI64 le = -2;
        Assert.That(
            Disk.Bytes(in le).ToArray(),
            Is.EqualTo(new byte[] { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }));
        Assert.That((long)le, Is.EqualTo(-2));
    }

    [Test]
    public void SizeOf_AllWidths_HasNoPadding()
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Disk.SizeOf<Le16>(), Is.EqualTo(2));
            Assert.That(Disk.SizeOf<Le32>(), Is.EqualTo(4));
            Assert.That(Disk.SizeOf<Le64>(), Is.EqualTo(8));
            Assert.That(Disk.SizeOf<LeI64>(), Is.EqualTo(8));
        }
    }

    [Test]
    public void Values_AtTheirLimits_ComeBack()
    {
        using (Assert.EnterMultipleScope())
        {
            foreach (ushort value in new[] { ushort.MinValue, (ushort)1, (ushort)0x8000, ushort.MaxValue })
                Assert.That(((Le16)value).Value, Is.EqualTo(value));
            foreach (uint value in new[] { uint.MinValue, 1u, 0x80000000u, uint.MaxValue })
                Assert.That(((Le32)value).Value, Is.EqualTo(value));
            foreach (ulong value in new[] { ulong.MinValue, 1ul, 1ul << 63, ulong.MaxValue })
                Assert.That(((Le64)value).Value, Is.EqualTo(value));
            foreach (long value in new[] { long.MinValue, -1L, 0L, long.MaxValue })
                Assert.That(((LeI64)value).Value, Is.EqualTo(value));
        }
    }

    [Test]
    public void Equality_SameOrOtherValue_FollowsValue()
    {
        Le16 a16 = 5, b16 = 5, c16 = 6;
        Le32 a32 = 5, b32 = 5, c32 = 6;
        Le64 a64 = 5, b64 = 5, c64 = 6;
        LeI64 ai = -5, bi = -5, ci = 5;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(a16 == b16 && a16 != c16 && a16.Equals((object)b16), Is.True);
            Assert.That(a32 == b32 && a32 != c32 && a32.Equals((object)b32), Is.True);
            Assert.That(a64 == b64 && a64 != c64 && a64.Equals((object)b64), Is.True);
            Assert.That(ai == bi && ai != ci && ai.Equals((object)bi), Is.True);
            Assert.That(a64.GetHashCode(), Is.EqualTo(b64.GetHashCode()));
        }
    }

    [Test]
    public void ToString_Limits_IsDecimalValue()
    {
        Le32 unsigned = uint.MaxValue;
        LeI64 signed = -1;
        Assert.That(unsigned.ToString(), Is.EqualTo("4294967295"));
        Assert.That(signed.ToString(), Is.EqualTo("-1"));
    }

    [Test]
    public void Ref_AtOddOffset_ReadsUnaligned()
    {
        byte[] bytes = [0xee, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0xee];
        Assert.That(Disk.Ref<Le64>(bytes.AsSpan(), 1).Value, Is.EqualTo(0x1122334455667788));
    }
}
