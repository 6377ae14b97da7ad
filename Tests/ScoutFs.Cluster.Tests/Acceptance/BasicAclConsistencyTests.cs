using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Row basic-acl-consistency: ACLs are the same with warm and with cold caches.</summary>
internal sealed class BasicAclConsistencyTests : AcceptanceFixture
{
    private const uint SetGid = 0x400;

    private static readonly byte[] Access = PosixAcl.AccessName.ToArray();
    private static readonly byte[] Default = PosixAcl.DefaultName.ToArray();

    [Test]
    public async Task Acls_OfNestedDirectories_AreTheSameAfterARemount()
    {
        List<ulong> inodes = [];
        ulong directory = Root;
        for (uint depth = 0; depth < 5; depth++)
        {
            directory = await MakeDirectoryAsync($"d{depth}", directory);
            inodes.Add(directory);
            await SetAclAsync(directory, Default, Acl(
                (1, 7, 0), (2, 6, 22222 + depth), (4, 5, 0), (8, 4, 44444), (16, 7, 0), (32, 1, 0)));
            await SetAclAsync(directory, Access, Acl(
                (1, 7, 0), (2, 5, 22222), (4, 5, 0), (16, 5, 0), (32, 5, 0)));
            if (depth == 2)
            {
                _ = await Fs.SetAttributesAsync(
                    directory, new AttributeChanges { Permissions = 0x1ed | SetGid, Gid = 44444, Uid = 22222 }, None);
            }

            inodes.Add(await CreateAsync("f", directory, FileMode.Regular | 0x1b6, uid: 33333));
            inodes.Add(await CreateAsync("removed", directory, FileMode.Regular | 0x1b6));
            await SetAclAsync(inodes[^1], Access, null);
        }

        // Without its default ACL, a directory passes nothing on any more.
        await SetAclAsync(directory, Default, null);
        inodes.Add(await CreateAsync("plain", directory));

        string warm = await ListingAsync(inodes);
        await RemountAsync();
        Assert.That(await ListingAsync(inodes), Is.EqualTo(warm));
        Assert.That((await InodeAsync(inodes[^2])).Gid.Value, Is.EqualTo(44444));
        Assert.That((await InodeAsync(inodes[^3])).Gid.Value, Is.EqualTo(44444), "the group is passed on");
        Assert.That((await Fs.GetXattrAsync(inodes[^1], Access, None)).Error, Is.EqualTo(FsError.NoXattr));
    }

    private static byte[] Acl(params (ushort Tag, ushort Perm, uint Id)[] entries)
    {
        byte[] acl = new byte[4 + (8 * entries.Length)];
        acl[0] = 2;
        for (int i = 0; i < entries.Length; i++)
        {
            var at = acl.AsSpan(4 + (8 * i));
            bool hasId = entries[i].Tag is 2 or 8;
            BinaryPrimitives.WriteUInt16LittleEndian(at, entries[i].Tag);
            BinaryPrimitives.WriteUInt16LittleEndian(at[2..], entries[i].Perm);
            BinaryPrimitives.WriteUInt32LittleEndian(at[4..], hasId ? entries[i].Id : uint.MaxValue);
        }

        return acl;
    }

    private async Task SetAclAsync(ulong ino, byte[] name, byte[]? value) => Assert.That(
        await Fs.SetXattrAsync(ino, name, value, XattrMode.Any, None), Is.EqualTo(FsError.None));

    private async Task<string> ListingAsync(List<ulong> inodes)
    {
        var text = new StringBuilder();
        foreach (ulong ino in inodes)
        {
            var inode = await InodeAsync(ino);
            _ = text.Append(CultureInfo.InvariantCulture, $"{ino} {inode.Mode} {inode.Uid} {inode.Gid}");
            foreach (byte[] name in new[] { Access, Default })
            {
                var (error, value) = await Fs.GetXattrAsync(ino, name, None);
                _ = text.Append(CultureInfo.InvariantCulture, $" {error} {string.Join(',', value.Select(b => b))}");
            }

            _ = text.AppendLine();
        }

        return text.ToString();
    }
}
