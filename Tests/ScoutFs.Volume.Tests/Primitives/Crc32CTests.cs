using System;
using System.Buffers.Binary;
using System.Text;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Primitives;

/// <summary>Vectors of format §3 and §11.3, and every variant this CPU has against one bit at a time.</summary>
[TestFixture]
internal sealed class Crc32CTests
{
    private const int GreatestShortLength = 2000;

    public enum Variant
    {
        Chosen,
        Serial,
        Interleaved,
        Fold256,
        Fold512,
    }

    [Test]
    public void Compute_Digits_IsRawRegister() =>
        Assert.That(Crc32C.Compute("123456789"u8), Is.EqualTo(0x1cf96d7c));

    [Test]
    public void Compute_Nothing_IsInitial() => Assert.That(Crc32C.Compute([]), Is.EqualTo(0xffffffff));

    [TestCase(4092, 0x58cda791u)]
    [TestCase(65532, 0xe8a56956u)]
    public void Compute_ZeroBytes_MatchesFormat(int count, uint expected) =>
        Assert.That(Crc32C.Compute(new byte[count]), Is.EqualTo(expected));

    [Test]
    public void Compute_QuorumBlock_MatchesFormat()
    {
        byte[] block = new byte[FormatConstants.SmallBlockBytes];
        ref var header = ref Disk.Ref<BlockHeader>(block.AsSpan());
        header.Magic = (uint)BlockMagic.Quorum;
        header.Fsid = 0x1122334455667788;
        header.Seq = 1;
        header.Blkno = 17;
        Assert.That(Crc32C.Compute(block.AsSpan(4)), Is.EqualTo(0x9d0323ce));
    }

    [TestCase("user.test", 0xf21778d1u)]
    [TestCase("user.foo", 0xa47a061bu)]
    [TestCase("scoutfs.srch.foo", 0xdc5633f9u)]
    [TestCase("security.selinux", 0x118241bdu)]
    [TestCase("system.posix_acl_access", 0x0cad41c7u)]
    public void Compute_XattrName_MatchesFormat(string name, uint expected) =>
        Assert.That(Crc32C.Compute(Encoding.ASCII.GetBytes(name)), Is.EqualTo(expected));

    [TestCase(16)]
    [TestCase(32)]
    [TestCase(48)]
    [TestCase(64)]
    [TestCase(128)]
    [TestCase(256)]
    public void FoldKey_Distance_IsPowerOfX(int distanceBytes)
    {
        var key = Crc32C.FoldKey(distanceBytes);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(key[0], Is.EqualTo(ShiftConstant((8 * distanceBytes) + 64)));
            Assert.That(key[1], Is.EqualTo(ShiftConstant(8 * distanceBytes)));
        }
    }

    [TestCase(1, Crc32C.OneStream)]
    [TestCase(2, Crc32C.TwoStreams)]
    public void StreamConstant_Streams_IsPowerOfX(int streams, uint constant) =>
        Assert.That(constant, Is.EqualTo(ShiftConstant(streams * 8 * Crc32C.StreamBytes)));

    [Test]
    public void Append_EveryShortLength_EqualsBitwise([ValueSource(nameof(Runnable))] Variant variant)
    {
        var random = new Prng(0x5c0f);
        byte[] bytes = new byte[GreatestShortLength + 64];
        random.Fill(bytes);
        for (int length = MinLength(variant); length <= GreatestShortLength; length++)
        {
            int offset = random.NextInt32(64);
            uint register = (uint)random.NextUInt64();
            var message = bytes.AsSpan(offset, length);
            uint actual = Append(variant, register, message);
            if (actual != OneBitAtATime(register, message))
                Assert.Fail($"length {length} offset {offset} register {register:x8} gave {actual:x8}");
        }
    }

    [Test]
    public void Append_LongMessages_EqualsBitwise([ValueSource(nameof(Runnable))] Variant variant)
    {
        var random = new Prng(0xb10c);
        byte[] bytes = new byte[(2 * FormatConstants.LargeBlockBytes) + 64];
        random.Fill(bytes);
        int[] around = [4080, 4092, 8160, 16384, 65532, 65536, 131072];
        foreach (int middle in around)
        {
            for (int i = 0; i < 6; i++)
            {
                int offset = random.NextInt32(64);
                int length = Math.Min(middle - 3 + i, bytes.Length - offset);
                uint register = (uint)random.NextUInt64();
                var message = bytes.AsSpan(offset, length);
                Assert.That(
                    Append(variant, register, message),
                    Is.EqualTo(OneBitAtATime(register, message)),
                    $"length {length} offset {offset} register {register:x8}");
            }
        }
    }

    [Test]
    public void Append_InPieces_EqualsWhole()
    {
        var random = new Prng(0x91ece5);
        byte[] bytes = new byte[FormatConstants.LargeBlockBytes];
        random.Fill(bytes);
        uint whole = Crc32C.Compute(bytes);
        for (int round = 0; round < 100; round++)
        {
            uint register = Crc32C.Initial;
            for (int at = 0; at < bytes.Length;)
            {
                int count = Math.Min(random.NextInt32(9000), bytes.Length - at);
                register = Crc32C.Append(register, bytes.AsSpan(at, count));
                at += count;
            }

            Assert.That(register, Is.EqualTo(whole));
        }
    }

    [Test]
    public void Append_AnySingleBitFlip_ChangesRegister()
    {
        byte[] block = new byte[FormatConstants.SmallBlockBytes];
        new Prng(7).Fill(block);
        uint before = Crc32C.Compute(block);
        for (int bit = 0; bit < 8 * block.Length; bit += 61)
        {
            block[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.That(Crc32C.Compute(block), Is.Not.EqualTo(before));
            block[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Test]
    public void Append_OverItsOwnRegister_IsConstant()
    {
        // A message followed by its own register leaves the remainder zero: a property of the uninverted form.
        byte[] bytes = new byte[1000];
        new Prng(8).Fill(bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(996), Crc32C.Compute(bytes.AsSpan(0, 996)));
        Assert.That(Crc32C.Compute(bytes), Is.Zero);
    }

    /// <summary>Variants that this CPU can run; the others are not cases, since there is nothing to test.</summary>
    private static Variant[] Runnable() => Array.FindAll(Enum.GetValues<Variant>(), variant => variant switch
    {
        Variant.Interleaved => Crc32C.CanInterleave,
        Variant.Fold256 => Crc32C.CanFold256,
        Variant.Fold512 => Crc32C.CanFold512,
        _ => true,
    });

    private static uint Append(Variant variant, uint register, ReadOnlySpan<byte> bytes) => variant switch
    {
        Variant.Serial => Crc32C.AppendSerial(register, bytes),
        Variant.Interleaved => Crc32C.AppendInterleaved(register, bytes),
        Variant.Fold256 => Crc32C.AppendFold256(register, bytes),
        Variant.Fold512 => Crc32C.AppendFold512(register, bytes),
        _ => Crc32C.Append(register, bytes),
    };

    private static int MinLength(Variant variant) => variant switch
    {
        Variant.Fold256 => 32,
        Variant.Fold512 => 64,
        _ => 0,
    };

    /// <summary>
    /// x^(bits-33) mod P, reflected: x^0 is the highest bit, and each further power shifts down by one.
    /// </summary>
    private static uint ShiftConstant(int bits)
    {
        uint power = 0x80000000;
        for (int i = 0; i < bits - 33; i++)
            power = (power & 1) != 0 ? (power >> 1) ^ 0x82f63b78 : power >> 1;
        return power;
    }

    /// <summary>The definition of format §3, as dumb as it gets.</summary>
    private static uint OneBitAtATime(uint register, ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes)
        {
            register ^= b;
            for (int bit = 0; bit < 8; bit++)
                register = (register & 1) != 0 ? (register >> 1) ^ 0x82f63b78 : register >> 1;
        }

        return register;
    }
}
