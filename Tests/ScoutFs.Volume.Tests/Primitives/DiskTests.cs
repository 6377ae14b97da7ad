using System;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Primitives;

/// <summary>Overlays share the bytes they were made from and never leave them.</summary>
[TestFixture]
internal sealed class DiskTests
{
    [Test]
    public void Ref_Written_ChangesTheBytes()
    {
        byte[] bytes = new byte[24];
        Disk.Ref<BlockRef>(bytes.AsSpan(), 8) = new BlockRef(0x0102, 0x03);
        byte[] expected = new byte[24];
        expected[8] = 0x02;
        expected[9] = 0x01;
        expected[16] = 0x03;
        Assert.That(bytes, Is.EqualTo(expected));
    }

    [TestCase(0)]
    [TestCase(8)]
    [TestCase(16)]
    public void Ref_Inside_Succeeds(int offset)
    {
        byte[] bytes = new byte[32];
        bytes[offset] = 7;
        Assert.That(Disk.Ref<BlockRef>(new ReadOnlySpan<byte>(bytes), offset).Blkno.Value, Is.EqualTo(7));
    }

    [TestCase(17)]
    [TestCase(32)]
    [TestCase(33)]
    [TestCase(-1)]
    [TestCase(int.MinValue)]
    [TestCase(int.MaxValue)]
    public void Ref_NotInside_Throws(int offset)
    {
        byte[] bytes = new byte[32];
        using (Assert.EnterMultipleScope())
        {
            Assert.That(
                () => Disk.Ref<BlockRef>(bytes.AsSpan(), offset).Seq = 1,
                Throws.TypeOf<ArgumentOutOfRangeException>());
            Assert.That(
                () => Disk.Ref<BlockRef>(new ReadOnlySpan<byte>(bytes), offset).Seq.Value,
                Throws.TypeOf<ArgumentOutOfRangeException>());
        }
    }

    [TestCase(0, 0, 0)]
    [TestCase(0, 2, 2)]
    [TestCase(16, 1, 1)]
    [TestCase(32, 0, 0)]
    public void Slice_Inside_HasCount(int offset, int count, int expected)
    {
        byte[] bytes = new byte[32];
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Disk.Slice<BlockRef>(bytes.AsSpan(), offset, count).Length, Is.EqualTo(expected));
            Assert.That(
                Disk.Slice<BlockRef>(new ReadOnlySpan<byte>(bytes), offset, count).Length, Is.EqualTo(expected));
        }
    }

    [TestCase(0, 3)]
    [TestCase(1, 2)]
    [TestCase(32, 1)]
    [TestCase(33, 0)]
    [TestCase(-1, 1)]
    [TestCase(0, -1)]
    public void Slice_NotInside_Throws(int offset, int count)
    {
        byte[] bytes = new byte[32];
        using (Assert.EnterMultipleScope())
        {
            Assert.That(
                () => Disk.Slice<BlockRef>(bytes.AsSpan(), offset, count).Length,
                Throws.TypeOf<ArgumentOutOfRangeException>());
            Assert.That(
                () => Disk.Slice<BlockRef>(new ReadOnlySpan<byte>(bytes), offset, count).Length,
                Throws.TypeOf<ArgumentOutOfRangeException>());
        }
    }

    [Test]
    public void Slice_CountTimesSizeOverflows_Throws()
    {
        // 2^28 structs of 16 bytes are 2^32 bytes: must not wrap to zero.
        byte[] bytes = new byte[32];
        Assert.That(
            () => Disk.Slice<BlockRef>(bytes.AsSpan(), 0, 1 << 28).Length,
            Throws.TypeOf<OverflowException>());
    }

    [Test]
    public void MutableBytes_Written_ChangeTheStruct()
    {
        var reference = new BlockRef(1, 2);
        Disk.MutableBytes(ref reference)[8] = 9;
        Assert.That(reference.Seq.Value, Is.EqualTo(9));
        Assert.That(Disk.Bytes(in reference).Length, Is.EqualTo(16));
    }
}
