using System;
using System.Text;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Primitives;

/// <summary>Vectors of format §11.1 and §11.3, and the path for keys against one byte at a time.</summary>
[TestFixture]
internal sealed class Fnv1aTests
{
    /// <summary>Buckets of a leaf's hash table (format §7.4).</summary>
    private const uint LeafBuckets = 1512;

    [TestCase("", 0x811c9dc5u, 0xcbf29ce484222325ul)]
    [TestCase("a", 0xe40c292cu, 0xaf63dc4c8601ec8cul)]
    [TestCase("foobar", 0xbf9cf968u, 0x85944171f73967e8ul)]
    public void Hash_Text_MatchesFormat(string text, uint expected32, ulong expected64)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(text);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Fnv1a.Hash32(bytes), Is.EqualTo(expected32));
            Assert.That(Fnv1a.Hash64(bytes), Is.EqualTo(expected64));
        }
    }

    [Test]
    public void Hash64_SrchXattrName_MatchesFormat() =>
        Assert.That(Fnv1a.Hash64("scoutfs.srch.foo"u8), Is.EqualTo(0xf720b33bf1b24954));

    [Test]
    public void Hash64_QuotaRule_MatchesFormat()
    {
        byte[] rule = Convert.FromHexString(
            "01000000000000000200000000000000e803000000000000e803000000000000" +
            "01000100000200000100000000000000");
        Assert.That(rule, Has.Length.EqualTo(48));
        Assert.That(Fnv1a.Hash64(rule), Is.EqualTo(0x44d0137225111c49));
    }

    [TestCase(0, 0ul, 0, 0ul, 0ul, 0x0b2ae445u, 845, 0x0c8210784d8af5a5ul)]
    [TestCase(4, 0ul, 4, 0ul, 1ul, 0xf6d1cdfcu, 252, 0x1a939d52aaedaadcul)]
    [TestCase(16, 1ul, 4, 0ul, 0ul, 0x1aacbf90u, 1040, 0xe9f7856b100ac9f0ul)]
    [TestCase(16, 1ul, 12, 0x666f6f00a9f37ed7ul, 2ul, 0x9c9be82bu, 331, 0x2765e7f18f21698bul)]
    [TestCase(36, 2047ul, 0, 1984ul, 0ul, 0x8ab848ceu, 678, 0x4394a94460dbd12eul)]
    [TestCase(16, 0ul, 0, 0ul, 0ul, 0xc5d51495u, null, 0xb75a57d3304dc7f5ul)]
    [TestCase(16, 1024ul, 0, 0ul, 0ul, 0x451a5c29u, null, 0xe68ce6e805057c09ul)]
    [TestCase(4, 0ul, 4, 0ul, 0ul, 0x2b2d503du, null, 0x6991b31abe02c31dul)]
    [TestCase(4, 0ul, 8, 0ul, 0ul, 0x1c853021u, null, 0xdbeb43e675c9dc01ul)]
    [TestCase(8, 0ul, 4, 0ul, 0ul, 0x77281c89u, null, 0x6f94a35a072545e9ul)]
    [TestCase(10, 0ul, 0, 0ul, 0ul, 0xffd54277u, null, 0x57493d111b44b917ul)]
    [TestCase(12, 0ul, 0, 0ul, 0ul, 0x972a8881u, null, 0xcca445fc779d1361ul)]
    [TestCase(14, 0ul, 0, 0ul, 0ul, 0x2e7fce8bu, null, 0x41ff4ee7d3f56dabul)]
    public void Hash_ItemKey_MatchesFormat(
        int zone, ulong first, int type, ulong second, ulong third, uint expected32, int? bucket, ulong expected64)
    {
        var key = new ItemKey((byte)zone, first, (byte)type, second, third);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Fnv1a.Hash32(Disk.Bytes(in key)), Is.EqualTo(expected32));
            Assert.That(Fnv1a.Hash64(Disk.Bytes(in key)), Is.EqualTo(expected64));
            if (bucket is int expectedBucket)
                Assert.That(Fnv1a.Hash32(Disk.Bytes(in key)) % LeafBuckets, Is.EqualTo(expectedBucket));
        }
    }

    [TestCase(16, 0ul, 0, 0ul, 349301u, 400905u, 383775u)]
    [TestCase(0, 0ul, 0, 0ul, 463909u, 89457u, 135105u)]
    [TestCase(16, 1024ul, 0, 0ul, 410633u, 362016u, 181083u)]
    [TestCase(4, 0ul, 4, 0ul, 30749u, 251904u, 427980u)]
    [TestCase(4, 0ul, 8, 0ul, 280001u, 336889u, 13967u)]
    [TestCase(8, 0ul, 4, 0ul, 418537u, 160996u, 431949u)]
    [TestCase(10, 0ul, 0, 0ul, 64599u, 21928u, 350900u)]
    [TestCase(12, 0ul, 0, 0ul, 509345u, 323443u, 200855u)]
    [TestCase(14, 0ul, 0, 0ul, 430123u, 100990u, 9851u)]
    public void Hash64_LockStart_GivesBloomBitsOfFormat(
        int zone, ulong first, int type, ulong second, uint bit0, uint bit1, uint bit2)
    {
        var key = new ItemKey((byte)zone, first, (byte)type, second);
        ulong hash = Fnv1a.Hash64(Disk.Bytes(in key));
        uint[] bits = new uint[3];
        for (int i = 0; i < bits.Length; i++)
            bits[i] = (uint)(hash >> (19 * i)) % FormatConstants.BloomBits;
        Assert.That(bits, Is.EqualTo(new[] { bit0, bit1, bit2 }));
    }

    [Test]
    public void Hash_RandomBytesWithZeros_EqualsOneByteAtATime()
    {
        var random = new Prng(0xf17a);
        byte[] bytes = new byte[300];
        for (int round = 0; round < 20_000; round++)
        {
            // Mostly keys, with any pattern of zero bytes; sometimes other lengths.
            int length = round % 4 != 0 ? 32 : random.NextInt32(bytes.Length);
            var message = bytes.AsSpan(0, length);
            random.Fill(message);
            ulong pattern = random.NextUInt64() & random.NextUInt64();
            for (int i = 0; i < length; i++)
            {
                if (((pattern >> (i % 64)) & 1) == 0)
                    message[i] = 0;
            }

            uint hash32 = 0x811c9dc5;
            ulong hash64 = 0xcbf29ce484222325;
            foreach (byte b in message)
            {
                hash32 = (hash32 ^ b) * 0x01000193;
                hash64 = (hash64 ^ b) * 0x100000001b3;
            }

            if (Fnv1a.Hash32(message) != hash32 || Fnv1a.Hash64(message) != hash64)
                Assert.Fail($"wrong for {Convert.ToHexString(message)}");
        }
    }
}
