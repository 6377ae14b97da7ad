using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Offline;

/// <summary>One configured quorum member: its slot and where the others reach it (format §4).</summary>
/// <param name="Nr">Slot, 0..14.</param>
/// <param name="Address">IPv4 address as an integer: 127.0.0.1 is 0x7f000001.</param>
/// <param name="Port">1..65535.</param>
public readonly record struct QuorumSlot(int Nr, uint Address, ushort Port)
{
    /// <summary>The address as people write it.</summary>
    public string AddressText => string.Create(
        CultureInfo.InvariantCulture,
        $"{Address >> 24}.{(Address >> 16) & 255}.{(Address >> 8) & 255}.{Address & 255}");

    /// <summary>Notation of the tools, <c>0: 10.0.0.1:5000</c>.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Nr}: {AddressText}:{Port}");

    /// <summary>Reads a dotted IPv4 address of four decimal numbers.</summary>
    /// <returns>False for anything else, also for short forms that name resolvers accept.</returns>
    public static bool TryParseAddress(string text, out uint address)
    {
        address = 0;
        string[] parts = text.Split('.');
        if (parts.Length != 4)
            return false;
        foreach (string part in parts)
        {
            bool isByte = byte.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out byte value);
            if (!isByte || part.Length > 3)
                return false;
            address = (address << 8) | value;
        }

        return true;
    }

    /// <summary>The slots of a volume, in order.</summary>
    public static IReadOnlyList<QuorumSlot> Of(in QuorumConfig config)
    {
        var slots = new List<QuorumSlot>();
        for (int nr = 0; nr < FormatConstants.QuorumSlots; nr++)
        {
            var address = config.Slots[nr];
            if (address.Family == InetAddress.FamilyIPv4)
                slots.Add(new QuorumSlot(nr, address.Addr, address.Port));
        }

        return slots;
    }

    /// <summary>Checks a configuration (format §4, archive §12.3).</summary>
    /// <returns>Null, or what is wrong, as a sentence.</returns>
    public static string? FaultOf(IReadOnlyList<QuorumSlot> slots)
    {
        if (slots.Count == 0)
            return "At least one quorum slot is needed.";
        foreach (var slot in slots)
        {
            if (slot.Nr is < 0 or >= FormatConstants.QuorumSlots)
                return $"Quorum slot number {slot.Nr} is not one of 0 to {FormatConstants.QuorumSlots - 1}.";
            if (slot.Port == 0)
                return $"Quorum slot {slot.Nr} has port 0; ports are 1 to 65535.";
            if (!IsUnicast(slot.Address))
                return $"Quorum slot {slot.Nr} has address {slot.AddressText}, which is not a unicast address.";
        }

        var twice = slots.GroupBy(slot => slot.Nr).FirstOrDefault(group => group.Count() > 1);
        if (twice is not null)
            return $"Quorum slot {twice.Key} is given more than once.";
        var shared = slots.GroupBy(slot => (slot.Address, slot.Port)).FirstOrDefault(group => group.Count() > 1);
        if (shared is null)
            return null;
        var first = shared.First();
        return $"Quorum slots {first.Nr} and {shared.Skip(1).First().Nr} have the same address and port, "
            + $"{first.AddressText}:{first.Port}.";
    }

    /// <summary>The configuration of checked slots.</summary>
    internal static QuorumConfig ConfigOf(IReadOnlyList<QuorumSlot> slots, ulong version)
    {
        var config = new QuorumConfig { Version = version };
        foreach (var slot in slots)
        {
            config.Slots[slot.Nr] = new InetAddress
            {
                Family = InetAddress.FamilyIPv4,
                Port = slot.Port,
                Addr = slot.Address,
            };
        }

        return config;
    }

    // 0.0.0.0, 224.0.0.0/4 and 255.255.255.255 reach nobody in particular.
    private static bool IsUnicast(uint address) =>
        address is not 0 and not uint.MaxValue && address >> 28 != 0xe;
}
