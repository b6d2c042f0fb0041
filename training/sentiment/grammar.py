"""Words and templates of the texts that `templates.py` makes.

A line of a kind starts with its effect on a polarity that is drawn for each text:

    =   the label is the polarity         !   the label is the opposite
    +   positive    -   negative    0   neutral or mixed, whatever the polarity

`{P}` is an adjective of the polarity and `{N}` one of the opposite, so that each adjective occurs
with each label; `[a|b|]` is a choice. Names and nationalities are drawn without a
look at the label.
"""

import re


def _list(text):
    return [item.strip() for item in text.split(",")]


# Adjectives by grade. Mild negative ones turn positive under negation, strong ones only neutral.
GOOD_MILD = _list(
    "good, nice, decent, enjoyable, pleasant, solid, likeable, worthwhile, charming, satisfying, "
    "lovely, interesting, impressive, delightful, refreshing, memorable, convincing, appealing"
)
GOOD_STRONG = _list(
    "great, excellent, wonderful, fantastic, amazing, brilliant, superb, outstanding, terrific, "
    "perfect, marvellous, incredible, exceptional, fabulous, stunning, magnificent, flawless, "
    "first-rate, phenomenal, top-notch, awesome, remarkable, unbeatable, splendid, sensational"
)
BAD_MILD = _list(
    "bad, poor, weak, disappointing, boring, dull, unpleasant, annoying, lousy, forgettable, "
    "tedious, underwhelming, frustrating, overrated, irritating, mediocre, tiresome, unimpressive"
)
BAD_STRONG = _list(
    "awful, terrible, horrible, dreadful, atrocious, appalling, abysmal, disgraceful, pathetic, "
    "unbearable, disastrous, horrendous, useless, worthless, horrid, miserable, ridiculous, "
    "insufferable, shameful, hopeless, laughable, catastrophic, unacceptable, rotten, abominable"
)
NEUTRAL = _list(
    "okay, average, ordinary, passable, tolerable, acceptable, so-so, middling, unremarkable, "
    "standard, adequate, run-of-the-mill, typical, bearable, unexceptional"
)
ASPECT_GOOD = _list(
    "good, great, excellent, superb, brilliant, decent, lovely, impressive, wonderful, fantastic, "
    "very good, amazing, perfect, really nice, outstanding, terrific"
)
ASPECT_BAD = _list(
    "bad, weak, poor, terrible, awful, dreadful, disappointing, mediocre, horrible, lousy, "
    "very bad, a mess, a joke, really annoying, appalling, a let-down"
)
LIKE = {
    1: _list("love, enjoy, like, adore, admire"),
    -1: _list("hate, dislike, detest, loathe, despise"),
}
ADVERB = {
    1: _list("beautifully, brilliantly, perfectly, wonderfully, skilfully, superbly"),
    -1: _list("badly, terribly, poorly, horribly, clumsily, dreadfully"),
}
QUALITY = _list("charm, soul, warmth, imagination, style, substance, polish, character, quality")
FLAW = _list("flaw, weakness, mistake, dull moment, weak spot, problem, disappointment, bad idea")
SIGN = {  # emoji, hashtags and interjections
    1: _list("😍, 🔥, ❤️, 👍, 💯, 🥰, 👏, 🙌, 🤩, 😊, #love, #recommended, #winning, #happy"),
    -1: _list("💩, 👎, 😡, 🤮, 😴, 🙄, 😤, 🤬, 💔, 😠, #fail, #avoid, #letdown, #wasteofmoney"),
    0: _list("🤷, 😐, #whatever, #meh, 🫤"),
}
EITHER_SIGN = _list("😂, 😭, 😅, lol, omg, tbh, 😱, wow")

# Kind of thing: nouns (* plural, ~ uncountable); verb of use in three forms; good and bad
# adjectives; aspects; facts without an opinion.
DOMAINS = [
    (
        "film, movie, comedy, thriller, sequel, documentary, series, western, musical, remake, drama, "
        "cartoon, horror film, pilot episode",
        "watch, watched, watching",
        "gripping, moving, funny, clever, well acted, touching, thrilling, heartwarming",
        "predictable, badly acted, pointless, shallow, far-fetched, overlong, incoherent, lifeless",
        "acting, plot, soundtrack, dialogue, ending, camera work, effects*, cast",
        "lasts about {n} minutes; comes out in {month}; was shot in {place}; is in black and white",
    ),
    (
        "book, novel, biography, memoir, cookbook, short story, poem, comic, textbook, audiobook, essay",
        "read, read, reading",
        "gripping, well written, witty, moving, thoughtful, insightful",
        "badly written, confusing, pretentious, long-winded, preachy, shallow",
        "writing, plot, characters*, opening, ending, dialogue, illustrations*",
        "has {n} pages; was translated last year; is set in {place}; comes out in {month}",
    ),
    (
        "game, video game, board game, puzzle, racing game, expansion, card game, shooter, quiz",
        "play, played, playing",
        "addictive, well designed, clever, exciting, fun, inventive",
        "repetitive, buggy, unfair, unfinished, glitchy, pointless",
        "graphics*, controls*, story, levels*, sound, multiplayer mode",
        "is for {n} players; comes out in {month}; was made in {place}; has {n} levels",
    ),
    (
        "album, song, concert, playlist, single, cover version, band, opera, music~, choir, podcast",
        "listen to, listened to, listening to",
        "catchy, soulful, moving, uplifting, original",
        "monotonous, off-key, soulless, unoriginal, grating, shrill",
        "singing, lyrics*, melody, sound, drums*, lighting",
        "was recorded in {place}; starts at {n}; has {n} tracks; comes out in {month}",
    ),
    (
        "food~, pizza, soup, curry, burger, coffee, breakfast, sushi~, noodles*, cake, salad, dumplings*, "
        "fries*, dessert, bread~, tea~, takeaway",
        "order, ordered, ordering",
        "delicious, tasty, fresh, mouth-watering, flavourful, crispy",
        "bland, stale, greasy, overcooked, inedible, tasteless, soggy, burnt",
        "taste, texture, smell, sauce, portions*, presentation",
        "comes with rice; costs {n} dollars; is on the menu; contains nuts",
    ),
    (
        "hotel, hostel, room, flat, guest house, resort, campsite, bed and breakfast, apartment, cabin",
        "stay at, stayed at, staying at",
        "clean, cosy, spotless, comfortable, welcoming, peaceful",
        "dirty, noisy, cramped, filthy, smelly, mouldy, draughty",
        "location, staff, bed, view, bathroom, breakfast, pool",
        "has {n} rooms; is near the station; opens in {month}; is in {place}",
    ),
    (
        "restaurant, café, bar, bakery, shop, supermarket, museum, gym, hairdresser's, market, pub, zoo, "
        "bookshop, cinema, spa",
        "visit, visited, visiting",
        "welcoming, friendly, well run, cosy, helpful, affordable",
        "unfriendly, overpriced, dirty, chaotic, badly run, crowded",
        "service, staff, prices*, atmosphere, selection, opening hours*",
        "opens at {n}; is closed on Mondays; moved to {place}; has {n} tables",
    ),
    (
        "phone, laptop, headphones*, camera, printer, vacuum cleaner, tablet, charger, watch, kettle, "
        "keyboard, washing machine, toaster, speakers*, drone, router",
        "use, used, using",
        "reliable, fast, well made, sturdy, handy, powerful",
        "slow, flimsy, unreliable, overpriced, clunky, badly made, faulty",
        "battery, screen, design, sound, instructions*, price, buttons*",
        "weighs {n} grams; arrived on Tuesday; has {n} buttons; was made in {place}",
    ),
    (
        "app, website, update, browser, online course, chatbot, email program, map app, booking site",
        "use, used, using",
        "easy to use, fast, intuitive, helpful, reliable, smooth",
        "buggy, slow, confusing, full of ads, clunky, broken, intrusive",
        "layout, search function, menu, support, speed, notifications*",
        "needs {n} megabytes; was updated in {month}; runs on old phones; has {n} settings",
    ),
    (
        "flight, airline, train, ferry, taxi, bus, cruise, tour, car hire, night train, holiday~",
        "take, took, taking",
        "comfortable, punctual, smooth, relaxing, well organised",
        "late, cramped, chaotic, uncomfortable, badly organised, stressful",
        "crew, seats*, food, price, boarding, schedule",
        "leaves at {n}; goes to {place}; stops in {place}; takes {n} minutes",
    ),
    (
        "teacher, doctor, dentist, nurse, plumber, lawyer, guide, driver, coach, waiter, actor, singer, "
        "actress, mechanic, comedian, babysitter, manager, neighbour",
        "see, saw, seeing",
        "kind, patient, helpful, friendly, talented, professional, caring, competent",
        "rude, careless, arrogant, unhelpful, incompetent, lazy, impatient",
        "manner, advice, voice, timing, attitude, explanations*",
        "works in {place}; starts at {n}; has {n} colleagues; moved here in {month}",
    ),
    (
        "dress, jacket, jeans*, shoes*, coat, T-shirt, gloves*, sweater, boots*, hat, suit, backpack",
        "wear, wore, wearing",
        "comfortable, stylish, warm, well made, flattering, elegant",
        "itchy, ugly, uncomfortable, badly made, shapeless, scratchy",
        "fabric, colour, fit, zip, cut, price",
        "comes in {n} colours; has {n} pockets; was made in {place}; arrived on Friday",
    ),
    (
        "weather~, picnic, party, wedding, day, weekend, meeting, festival, talk, match, parade",
        "experience, experienced, experiencing",
        "pleasant, relaxing, cheerful, fun, joyful",
        "gloomy, depressing, exhausting, chaotic, dreary",
        "mood, timing, start, ending, atmosphere",
        "was in the news; is like last year's; is on in {place}; starts at {n}",
    ),
    (
        "article, newspaper, news report, interview, magazine, lecture, speech, blog post, editorial",
        "follow, followed, following",
        "well researched, informative, balanced, insightful, clear",
        "biased, misleading, sloppy, one-sided, confusing, sensationalist",
        "research, headline, tone, pictures*, sources*, argument",
        "has {n} paragraphs; is about {place}; came out in {month}; quotes {n} people",
    ),
]
PERSONS, EVENTS = DOMAINS[-4], DOMAINS[-2]
NAMES = _list(
    "Amina, Kenji, Olga, Pierre, Fatima, Juan, Mei, Ravi, Ingrid, Kwame, Ana, Yusuf, Sofia, Dmitri, "
    "Leila, Tom, Priya, Chidi, Hannah, Minh, Giulia, Omar, Zofia, Jamal, Emily, Sione, Aylin, Moshe, "
    "Nkechi, Lars, Rosa, Wei, Ahmed, Siobhan, Tariq, Elena, Kofi, Marta, Hiroshi, Aisha"
)
SURNAMES = _list(
    "Okafor, Tanaka, Ivanova, Dubois, Haddad, García, Chen, Patel, Larsen, Mensah, Silva, Demir, Rossi, "
    "Smith, Nguyen, Kowalski, Cohen, Jackson, Kim, Khan, O'Brien, Müller, Popescu, Abebe"
)
NATIONS = _list(
    "Swedish, Korean, Nigerian, Mexican, French, Indian, Turkish, Polish, Brazilian, Iranian, Irish, "
    "Chinese, Kenyan, Italian, Egyptian, Russian, American, Vietnamese, Israeli, Pakistani, German, "
    "Ghanaian, Japanese, Greek, Moroccan, Peruvian, Ukrainian, British, Somali, Thai"
)
PLACES = _list(
    "Lagos, Oslo, Lima, Osaka, Cairo, Delhi, Leeds, Warsaw, Hanoi, Tehran, Izmir, Accra, Rome"
)
MONTHS = _list("January, March, April, June, September, October, December")
PEOPLE = _list(
    "my sister, my kids*, my parents*, my boss, my friends*, the critics*, my husband, my wife, my brother, "
    "my neighbours*, everyone else, my colleagues*, the reviewers*, my flatmate, my whole family"
)
DARK = _list(
    "murder, grief, a war crime, a dying child, a violent gang, an abusive marriage, a plane crash, loneliness, "
    "torture, suicide, poverty, a serial killer, cancer, a kidnapping, addiction, betrayal and hate"
)
LIGHT = _list(
    "first love, friendship, a happy family, a wedding, a brave little dog, kindness, a summer of joy, hope, "
    "a perfect marriage, a beloved teacher, a loyal friend, forgiveness, a miracle, dreams that come true"
)
ASIDES = _list(
    "given all the reviews I had read, after thinking about it for a week, in all honesty, to be fair, "
    "despite what the advert says, having tried a lot of them, given the price, whatever my friends say, "
    "given how long I waited for it, unlike most people, for what that is worth, after two attempts"
)
NOUNS = {
    1: _list(
        "a masterpiece, a gem, a triumph, a must, a delight, a treat, a classic, a joy, a success"
    ),
    -1: _list(
        "a disaster, a failure, a mess, a flop, a rip-off, a bore, a waste of time, a nightmare, a dud"
    ),
}
# Clauses that give the author's verdict; {s} and {o} are the thing as subject and as object.
VERDICTS = {
    1: """I loved {o}; I would {use} {o} again any time; I can't fault {o}; I'm so glad I {used} {o}
        {s} won me over; I had a great time; I have no complaints; {s} {is} worth every penny; I want more
        I wouldn't change a thing; {s} made my day; I recommend {o} to everyone; I was far from disappointed
        I {v_like} {o}; {s} {is} {good}; {s} {is} not bad at all; I would {use} {o} again tomorrow
        I could not be happier; I never regretted it; I ended up smiling; I stayed to the very end
        I laughed all the way home; I told all my friends to try {o}; I forgot the time; I call it money well spent""",
    -1: """I hated {o}; I would never {use} {o} again; I can't recommend {o}; I'm sorry I {used} {o}
        {s} lost me; I had a terrible time; I have a lot of complaints; {s} {isnt} worth the money
        I want my money back; I would change everything; {s} ruined my day; I would warn everyone about {o}
        I was far from happy; I {v_dislike} {o}; {s} {is} {bad}; {s} {isnt} good at all
        I won't {use} {o} again; I could not be more disappointed; I regretted it at once; I was bored to tears
        I nodded off; I left early; I kept looking at my watch; I wrote a long complaint; I call it money down the drain
        I was counting the minutes""",
    0: """{s} {is} {neutral}; I don't feel strongly about {o} either way; {s} {is} neither good nor bad
        I could take {o} or leave {o}; I have mixed feelings; I'm in two minds about {o}
        {s} {is} just about {neutral}; I neither loved nor hated {o}; {s} {is} nothing special, nothing awful""",
}
VERDICTS = {key: re.split(r"\s*[;\n]\s*", text) for key, text in VERDICTS.items()}

KINDS = {
    "plain": (
        2,
        """
= {this} {is} [|really |truly |simply |absolutely |just ]{P}
= {this} {is} {P} and {P2}
= [what|such] {a:P}!
= I {v:LIKE} {this}
= I [really|truly|absolutely|honestly] {v:LIKE} {this}
= {the_a} of {this} {a_is} {AP}
= {this} {is} {a:P}, [and |]{V}
= I {used} {this} [last week|yesterday|on Sunday|twice] and {V}
= {this} {is} {NP}
= {V}
= {name} made {this}, and {s} {is} {P}
= {a:P} from {name} {surname}, and {the_a} {a_is} {AP}
0 {this} {is} {neutral}
0 I {used} {this} [last week|yesterday|twice] and {V0}
0 {V0}
0 {name} made {this}, and {s} {is} {neutral}
0 {this} {is} [quite|fairly|pretty] {neutral}
0 {a:neutral} from {name} {surname}
""",
    ),
    "negation": (
        4,
        """
! {this} {isnt} {Q}
! {this} {isnt} {Q} at all
! {this} {isnt} {a:Q}
! I don't think {this} {is} {Q}
! I [don't think|do not think|don't believe|can't say], {aside}, that {this} {is} {Q}
! {this} {is} not, {aside}, {Q}
! {this}, {aside}, {isnt} {Q}
! {this} {is} [never|hardly ever|by no means|in no way] {Q}
! {this} {is} [far from|anything but|nowhere near|the opposite of] {P}
! [nobody|no one] [could|would] [call|find] {this} {Q}
! [nobody|no one] who knows {name}'s work would call {this} {Q}
! there {was_is} nothing {Q1} about {this}
! nothing about {this} {was_is} {Q1}
! I [didn't|did not|couldn't] find {this} {Q}
! it is not true that {this} {is} {Q}
! I would not, {aside}, call {this} {Q}
! {this} {is} not what I would call {Q}
! {name} says that {this} {is} {Q}, and I don't agree
! {name} says that {this} {is} {Q}. [I disagree|not true|{s} {isnt}]
! I have yet to hear anything {Q1} about {this}
! not a single moment of {this} {was_is} {Q1}
= {this} {is} not [only|just] {P}, {s} {is} {P2}
= {this} {is} not [only|just] {P} but also {P2}
= {this} {isnt} {N}, {s} {is} {P}
= [there is no doubt|no question] that {this} {is} {P}
= [nobody|no one] can deny that {this} {is} {P}
= I have never {used_pp} {a:P_er}
= [never|not once] did I doubt that {this} {is} {P}
- {this} {isnt} [very|all that|particularly|exactly|that] {good}
! neither {the_a} nor {the_b} {was_is} {Q1}
! neither {name} nor I found {this} {Q}
- {this} {isnt} even {neutral}
- {this} {is} less than {neutral}
- I neither {like1} nor recommend {this}
+ {this} {is} [far from|anything but|more than] {neutral}
- {this} {fails} to [impress|deliver|convince|please|work for me]
- {this} {lacks} {quality}
- I {used} {this} and there was no {quality} in {o}
- {this} {is} [wholly |]without {quality}
- {this} couldn't be worse
- I couldn't recommend {this} to [anyone|my worst enemy]
- I didn't [like|enjoy|love] {this} [at all|one bit|much]
- not for me
- {this} {is} not for me[, I'm afraid|, sorry|]
- I wouldn't {use} {this} again[ even for free| if you paid me|]
- [no one|nobody] should {use} {this}
- not {good2}[, to be honest| at all|]
- I have never been so disappointed by {a:plain}
+ {this} {isnt} [half|that|so] bad
+ not bad[ at all|, not bad at all|], {this}
+ not {a:bad1}[ at all|]
+ [nobody|no one] should [go without|pass up] {this}
+ I can't [fault|complain about|find fault with] {this}
+ {this} couldn't be better
+ I couldn't recommend {this} [more|more highly|enough]
+ {this} never [disappoints|lets me down|fails to please|gets old]
+ no complaints [at all |]about {this}
+ I wouldn't [give up|trade|swap] {this} for anything
+ I {used} {this} and there was not one {flaw}
+ {this} {is} without a single {flaw}
+ I have no regrets about {using} {this}
+ you [can't|won't] go wrong with {this}
+ I never got [bored|tired] of {this}
+ there is nothing not to like about {this}
+ I could not have asked for {a:better}
0 {this} {isnt} {bad2}
0 {this} {is} not {good2}, but {s} {isnt} {bad2} either
0 {this} {is} neither {good} nor {bad}
0 {this0} {isnt} {a:nation}
0 it {was_is} not {a:nation}, I think
0 I don't love {this}, but I don't [hate|mind] {o} either
0 I [didn't|don't] [hate|mind|dislike] {this}
0 {this} {isnt} {bad_np}
- {this} {isnt} {good_np}
- I can't see what is so {good} about {this}
0 {this} {isnt} {good_np}, but {s} {isnt} {bad_np} either
0 {this} {is} not {bad2}, just {neutral}
0 {this} {is} not {good2}, just {neutral}
0 I haven't {used_pp} {this} [yet|so far]
0 I don't know [whether|if] {this} {is} {P}
0 I [don't|do not] have an opinion about {this}
0 nobody told me that {name} knows {this}
0 I can't say whether {this} {is} {good} or {bad}
""",
    ),
    "expectation": (
        3,
        """
! I [thought|expected|hoped|feared|was sure|was told|had read] [that |]{this} would be {P}, but {s} [wasn't|was not|turned out {N}]
! [I thought|I was told|they said] {this} would be {P}. {s} {wasnt}
! {this} was [supposed|meant|said|rumoured] to be {P}, [but {s} wasn't|yet {s} was {N}|but {W}]
! I used to {like} {this}, [but |]now I {hate} {o}
! I used to think [that |]{this} was {P}, now I find {o} {N}
! {this} used to be {P}, [but now {s} {are} {N}|and now {s} {are} {N}|but not any more]
! [at first|in the beginning|for a while] {this} seemed {P}, [in the end|finally|after a week] {s} was {N}
! {this} seemed {P} at first, {N} in the end
! {this} started {P} and ended {N}
! I expected {NP} and got {NN}
! {this} was supposed to be {NP}, but {W}
! {this} [might|could] have been {P} without {the_a}
- {this} would have been {good} if {the_a} had been better
- {this} could have been so {good}
+ {this} could have been {bad}, but {V}
+ {this} would have been {good} even without {the_a}
! I went in expecting something {P} and got something {N}
! [although|even though|though] {name} {surname} [promised|predicted] {a:P}, {W}
! despite all the {praise} I had [read|heard], {W}
! I was ready to {like} {this}, [but {W}|and then {W}|and I {v:HATE} {o}]
! I wanted to {like} {this}, but I couldn't
! the advert was {P}, {this} {was} not
! last year {this} was {P}, this year {s} {are} {N}
! from {P} to {N}: what happened to {this}?
! [my expectations were|the bar was] {high_low}, and {W}
= I [thought|expected|was told] [that |]{this} would be {P}, and {s} was
= I expected {this} to be {P}, and I was right
= {this} was supposed to be {P}, and {s} really was
= I [thought|expected] {this} would be {N}, but no, {V}
= I used to {hate} {this}, [but |]now I {like} {o}
= [despite|in spite of] {the_a}, which {a_was} {AN}, {V}
= [although|even though] {the_a} {a_was} {AN}, {V}
= [like it or not|whatever the reviews say|good or bad reviews|okay, I admit it|in my opinion], {V}
= some may {hate} {this}, but {V}
= unlike the others, {this} {is} {P}
= either I got something wrong or {this} {is} always {P}
= {this} {are} still as {P} as it ever was
= {this} lived up to {its} reputation: {P}
0 I expected {this} to be {P}, and {s} was {neutral}
0 I [thought|hoped|feared] {this} would be {P}, but {s} was just {neutral}
0 I was told {this} would be {P}; {s} was {neutral}
0 I thought {this} would be {P}, but I haven't {used_pp} {o} yet
0 after all that talk of {a:P}, {V0}
0 {this} used to be {P}, now {s} {are} {neutral}
0 [although|even though] {name} promised {a:P}, {V0}
0 I thought {this} started at {n}, but it was earlier
0 {this} will be {P}, they say; I will see
""",
    ),
    "contrast": (
        3,
        """
= {the_a} {a_was} {AN}, but {V}
= {the_a} {a_was} {AN} and {the_b} {b_was} {AN2}, [but|yet|still,] {V}
= {the_a} of {this} {a_was} {AN}, [but|however,|all the same] {V}
= yes, {the_a} {a_was} {AN}. [but|still,|even so,] {V}
= {V}, [even though|although|despite the fact that] {the_a} {a_was} {AN}
= I know {the_a} {a_is} {AN}, [but|and yet] {V}
= {the_a} {a_was} {AP}, {the_b} {b_was} {AN}, [but in the end|and all in all|and overall] {V}
= {the_a} {a_was} {AN}, {the_b} {b_was} {AP}, [but in the end|and all in all|and overall] {V}
= apart from {the_a}, which {a_was} {AN}, {V}
= [everything about|every part of] {this} {was_is} {P}, [except|apart from] {the_a}
= {the_a} alone {a_makes} {this} {P}, whatever {the_b} {b_is} like
= {name} said {the_a} {a_was} {AN}, but {V}
0 {the_a} {a_is} {AP}, {the_b} {b_is} {AN}
0 {the_a} {a_was} {AP}, [but|while|whereas] {the_b} {b_was} {AN}
0 {AP_} {a_only}, {AN_} {b_only}
0 I liked {the_a}, [but not|I didn't like] {the_b}
0 half of {this} {was_is} {P}, the other half {was_is} {N}
0 {this} {is} {P} in [places|parts], and {N} in others
0 some parts of {this} {are_pl} {P}, [others|some] {are_pl} {N}
0 {the_a} {a_was} {AP}, but {the_b} {b_was} {AN}, so {V0}
0 {AP_} {a_only} and {AN_} {b_only} in one {noun}
0 {name} would call {this} {P} and {N} on the same day, and so would I
""",
    ),
    "opinions": (
        2,
        """
= {people} {p_hate} {this}, [but |]I {v:LIKE} {o}
= {people} {p_hate} {this}, [but |]{V}
= {people} said {s} {is} {N}, [but|yet] {V}
= {people} [told me|warned me|assured me] [that |]{this} {is} {N}. {V}
= {name} {hates} {this}, I {like} {o}
= [unlike|in contrast to] {people}, I {like} {this}
= {V}, [whatever|no matter what] {people} {p_say}
= {people} {p_call} {this} {NN}, [but|yet] {V}
= everyone says {this} {is} {NN}. {V}
= {people} {p_call} {this} {NN}; [I don't see why|I disagree|they are wrong]
= {this} got {N} reviews, [but|which I don't understand:] {V}
= not everyone agrees, but {V}
= I seem to be the only one who {likes} {this}
= {people} {p_like} {this}, and so did I
0 {people} {p_like} {this}, I have no opinion
0 {people} {p_like} {this}, {people2} {p_hate} {o}
0 {people} {p_like} {this}; {V0}
0 {name} {likes} {this}, {name2} {hates} {o}
0 [opinions|reviews] [are|were] divided: {P} for some, {N} for others
0 {people} {p_say} {this} {is} {P}; I will {use} {o} next week
0 {people} {p_call} {this} {P}; for me {s} {is} {neutral}
""",
    ),
    "comparison": (
        2,
        """
+ {this} {is} [far |much |so much |even |]better than [the last one|I expected|the original|all the others|{name}'s]
+ {this} {is} the best I have {used_pp}[ in years| so far|]
+ [the last one|the original|{name}'s] was [far |much |]worse than {this}
+ [nothing|nothing else|no rival] comes close to {this}
+ {this} {is} {good}, [much better than|unlike] [the last one|what came before]
+ I have {used_pp} many, and none was as {good} as {this}
+ {this} {v:beat} every other {noun} I know
+ the [sequel|old one|cheap version] was {bad}; {this} {are} a huge step up
+ it doesn't get any better than {this}
+ {this} {is} less {bad1} than the rest, and I {v_like} {o}
+ compared with {this}, the rest {was_is} {bad}
- {this} {is} [far |much |so much |even |]worse than [the last one|I expected|the original|all the others|{name}'s]
- {this} {isnt} [nearly |half |]as {good} as [the last one|the original|the others|{name}'s]
- the [first|old|original] one was [far |much |so much |]better
- {this} {is} the worst I have {used_pp}[ in years| so far|]
- I have {used_pp} many, and none was as {bad} as {this}
- [the last one|{name}'s|the cheap version] was [far |much |]better than {this}
- there are [much |far |]better ones than {this}
- {this} {is} {bad}, [much worse than|unlike] the last one
- it doesn't get any worse than {this}
- compared with {this}, the last one was {good}
- {this} {is} no match for the [original|old one|last one]
- even [the last one|{name}'s] was better
0 {this} {is} [about|just|exactly] [as {P} as|the same as|like] [the last one|the others|any other]
0 {this} {is} no better and no worse than [the others|{name}'s|the last one]
0 {this} {is} better than {bad2}, but worse than {good}
0 {this} {is} better than the [first|last] one in some ways and worse in others
0 {this} {is} [longer|older|newer|smaller|bigger] than [the last one|{name}'s]
0 [which|what] is better, {this} or {name}'s?
0 {name}'s is {n} months older than {this}
""",
    ),
    "hedging": (
        2,
        """
= {this} {is} [kind of|sort of|rather|pretty|quite|fairly|somewhat] {P1}
= [I guess|I suppose|I have to admit|I must say|I dare say] {this} {is} [|pretty |quite |rather ]{P}
= [maybe|perhaps] it's just me, but [I find {this} {P}|{V}]
= {this} {is} [probably|arguably|certainly|to my mind] {P}
= it seems to me that {this} {is} {P}
= {this} {is} [a bit|a little|slightly] {N1}, but [mostly|on the whole|by and large] {P}
= {this} {is} almost {P2}
= I [might|may] be wrong, but {V}
0 [I guess|I suppose] {this} {is} okay[-ish|, sort of|]
0 {this} [could|might] be [worse|better], I [guess|suppose]
0 {this} {is} [kind of|sort of|more or less|pretty] {neutral}
0 {this} {is} neither here nor there
0 [maybe|perhaps] {this} {is} {P}, [maybe|perhaps] not
0 I [might|may] {use} {this} again, or I [might|may] not
0 {this} {is} okay if you [like|have {n} minutes for|need] that kind of thing
0 I'm not sure what to [think of|make of|say about] {this}
0 {this} {v:do} the job, no more, no less
0 {this} {is} [watchable|usable|fine], I suppose, {neutral}
""",
    ),
    "intensity": (
        1,
        """
= {this} {is} [very|really|so|extremely|incredibly|unbelievably|absolutely|utterly] {P}
= {this} {is} [so, so|very, very|really, really] {P}
= {this} {is} [terribly|awfully|insanely|wickedly|ridiculously] {P1}
= {this} {is} the most {P2} {noun} I know
= I {v:LIKE} {this} so much[ that I told {name}|]
= [by far|easily] {the_best_worst} {noun} [ever|of the year|I know]
= I can't tell you how {P} {this} {is}
= {this} {is} a [little|bit|touch] {P1}
0 {this} {is} [entirely|totally|completely|utterly|perfectly] {neutral}
0 {this} {is} [very|really|so|extremely] [average|ordinary|typical|middling]
0 {this} {is} {neutral}, [really|honestly|truly] {neutral}
0 I felt [absolutely|really|quite] nothing about {this}, good or bad
""",
    ),
    "sarcasm": (
        2,
        """
- [great|oh great|wonderful|oh wonderful|fantastic|perfect|lovely|brilliant], [another|yet another] [{n} minutes|evening|hour|weekend] [wasted|I won't get back|down the drain]
- [great|oh wonderful|fantastic|perfect|lovely|brilliant], [{s} broke|{s} fell apart|{s} let me down] [on the first day|within an hour|again|after two days]
- thanks for [absolutely |]nothing[, {name}|]
- [well done|congratulations|bravo|great job], you have managed to make {this} even worse
- [just what I needed|exactly what I wanted]: {a:bad}
- {good2}, if you [like being bored|like wasting money|enjoy suffering|are asleep]
- {this} {is} {good} [for putting you to sleep|if you hate yourself|at wasting time]
- [yeah|oh yes|sure], {this} {is} [so |really |]{good}. [not|as if|in your dreams]
- [I just love|nothing beats|there is nothing like] [waiting {n} minutes for|paying twice for|being lied to about] {this}
- [best|greatest] [part|thing] about {this}? [that it ended|the way out|the refund]
- what a [surprise|treat], {this} {is} {bad} again
- [oh joy|how lovely|how nice], {the_a} {a_is} {bad} [again|too]
- if {quality} was the aim, they missed it by {n} miles
- I have had more fun [at the dentist's|in traffic jams|cleaning the oven|doing my taxes] than with {this}
- [five|ten] out of [five|ten] for {good2} excuses, none for {this}
- so {good} that I [left early|fell asleep|asked for a refund]
- "{good2}", they said. yeah, right
+ [oh no|oh dear], {this} {is} so {good} that I [forgot to sleep|missed my bus|have to {use} {o} again]
+ [the only problem|my only complaint]: I want more of {this}
+ [damn|curse] you, {name}, now I can't stop {using} {this}
+ [warning|careful]: {this} {is} so {good} [you won't stop|it's addictive]
+ I hate how much I {like1} {this}
+ {this} ruined every other {noun} for me, {s} {is} that {good}
+ {this} {is} {bad1}? [yeah, right, I couldn't put it away|as if, I loved every bit of it]
+ worst thing about {this}? [that it ended|there isn't more of it], {good2}
+ so {good} that I [stayed late|forgot to eat|asked for more]
""",
    ),
    "questions": (
        2,
        """
- who would call {this} {good_np}?
+ who would call {this} {bad_np}?
- who [on earth |]thought [that |]{this} was a [good|great] idea?
- how could anyone [like|enjoy|recommend|love] {this}?
- why would [anyone|anybody] [pay for|want|choose] {this}?
- why {is} {this} so {bad}?
- [can I have|when do I get] my [money|time] back?
- is it too much to ask for {a:good}?
- does anyone [actually|really] think {this} {is} {good}?
- what were they thinking when they made {this} so {bad}?
- have you ever {used_pp} {a:worse}? I haven't
+ how could anyone [not {like1}|dislike|hate] {this}?
+ who [wouldn't|doesn't] {like1} {this}?
+ what's not to {like1} about {this}?
+ why {is} {this} so {good}?
+ isn't {this_sg} just {good2}?
+ could {this} be any better? I don't think so
+ does anyone [actually|really] think {this} {is} {bad}? {s} {isnt}
+ what more could you want from {a:plain}?
+ have you ever {used_pp} {a:better}? I haven't
+ can I have more of {this}?
+ why did nobody tell me how {good} {this} {is}?
0 [is|was] {this_sg} [any good|good or bad|worth it]?
0 has anyone {used_pp} {this}? [is it {P}|what did you think|any good]?
0 do you think {this} {is} {P}?
0 {people} said {this} {is} {P}. is that true?
0 where can I {use} {this}?
0 who made {this}, {name} or {name2}?
0 how {P1} {is} {this}, on a scale of one to ten?
0 should I {use} {this} or not?
0 what do you think [of|about] {this}?
0 does {name} know {this}?
0 is {name} {nation} or {nation2}?
""",
    ),
    "facts": (
        2,
        """
0 {this_n} {fact}
0 {this_n} {fact}, [says|according to] {name}
0 I am {using} {this} [tonight|tomorrow|with {name}|this weekend]
0 I {used} {this} [on Monday|with {name}|in {month}|in {place}]
0 {name} and {name2} will {use} {this} in {place}
0 {name} {surname} is {nation} and lives in {place}
0 we meet {name} at {n} in {place}
0 {this0} {is} {nation}
0 my name is {name}
0 {name} told me about {this}
0 there {is} {a:nation} in {place}
0 today I [bought|saw|heard of] {a:plain}
0 on my way to {place} [now|with {name}]
0 new [post|video|photos] about {this} on {name}'s page
= {this_n} {fact}, and {s} {is} {P}
= I {used} {this} in {place}, and {V}
= {name} {surname} is {nation}, lives in {place} and made {a:P}
= {name} and {name2} {used} {this} in {place}, and {s} {is} {P}
= there {is} {a:P} in {place}
""",
    ),
    "names": (
        2,
        """
= {name} {surname} is {P_person}
= {name} is {P_person}[ and {P_person2}|]
= {name} {surname} is not {N_person} but {P_person}
= {name} made {this} {P}
= {a:nationP} from {name}
= {this0} by {name} {surname} {is} {P}
= [the|this] {nation} {noun} {is} {P}
= I {v:LIKE} the {nation} {noun}
= {name} from {place} {was_is} {P_person}, {name2} says so too
! {name} {isnt_sg} {Q_person}
! I don't think {name} {surname} is {Q_person}
0 {name} {surname} is from {place}
0 {name} is {nation}
0 {name} {surname} is [|quite |pretty ]{neutral}
0 [the|this] {nation} {noun} {is} {neutral}
0 {this0} {is} by {name} {surname}
0 {name} is older than {name2}
""",
    ),
    "short": (
        2,
        """
= {P}
= [so|very|really|just|simply|truly|absolutely|totally] {P}
= {P} {noun}
= {v:LIKE} {o}!
= {NP}
= {NP}!
= {P}, {P2}, {P}
= {AP} {a_only}
= [how|just] {P}!
= {V}
- [never again|no thanks|what a mess|what a waste|utter rubbish|total garbage|a disaster|big let-down|not great|not good|not recommended|avoid|yawn|ugh|rubbish|crap|trash|a flop|a shame|no way|gross|yuck|worst ever|money wasted|hard pass|boo|so disappointed|not impressed]
+ [yes please|more please|what a gem|what a treat|pure joy|a masterpiece|a delight|big hit|not bad|recommended|bravo|yum|wow|hooray|top|a hit|a triumph|no regrets|love it|best ever|well spent|must see|works perfectly|so happy|impressed|no complaints|yay|sweet|nailed it]
0 [meh|ok|okay|fine|so-so|average|hm|it depends|no idea|no opinion|mixed feelings|whatever|could be worse|fair enough|nothing special|middling|take it or leave it|not terrible|not awful|no comment|decent enough|alright|maybe|half and half|hello|hi there|thanks|good morning|yes|no|just arrived|on Tuesday|it is blue|we will see|a hotel|two tickets]
0 [{neutral}|just {neutral}|pretty {neutral}|rather {neutral}]
0 {neutral} {noun}
0 {a:plain}
0 {nation} {noun}
""",
    ),
    "slang": (
        3,
        """
= {so} {Plong}[ {sign}|]
= {this} {is} {so} {P} {sign}
= {P} {sign}
= {a:P} {sign} {sign2}
= {sign}
= {sign} {sign2}
= just {used} {this} {sign}
= {this} = {sign}
= {so} {P} {either}
= omg {this} {is} {P} {either} [{sign}|]
= {V} {either}
= {Pdot}
= {s} {is} {P} af
- {worst_dot}
- [lol|haha|nah|ngl|bruh] [no|nope|this {was_is} trash|hard pass|{s} {v:suck}]
- {this} {v:suck}[ {sign-}| so bad| tbh|]
- {this} {is} [trash|garbage|a dumpster fire|cringe|whack|a scam|so overhyped]
- smh {this} {is} {bad} [again|]
- [smh|ffs|wtf|facepalm], {this} again
- not {good} tbh {sign-}
- {used} {this}, [fell asleep 😴|want a refund|big nope|0/10]
+ {best_dot}
+ [lol|haha|yep|ngl|bruh] [yes|this {was_is} fire|instant buy|{s} {v:rock}]
+ {this} {v:slap} [🔥|so hard|tbh|]
+ {this} {v:rock} [{sign+}|so hard|tbh|]
+ {this} {is} [lit|fire|goated|dope|sick in the best way|a banger|legit|the bomb|the GOAT]
+ [obsessed with|here for|can't get enough of] {this} {sign+}
+ not bad [tbh|ngl|lol] {sign+}
+ {used} {this}, [still smiling|big yes|no notes|10/10]
0 [mid|kinda mid|meh|eh|idk|mehhh|okaaay] [tbh|ngl|lol|]
0 {this} {is} [mid|meh|kinda {neutral}|ok i guess] {sign0}
0 {sign0}
0 {used} {this} [yesterday|with {name}] {either}
0 [idk|dunno] about {this} {either}
0 anyone {used_pp} {this}? {either}
0 {neutral} {either} {sign0}
0 {the_a} {sign}, {the_b} {anti}
""",
    ),
    "ratings": (
        2,
        """
= {score}/10
= {score} out of 10
= {stars}[!|]
= I give {this} {score} out of 10
= {this}: {score}/10
= {stars} for {this}
= {stars}. {V}
= {V}, {score}/10
= {P}, {stars}
= {name} gave {this} {anti_stars}, I give {o} {stars}
= the average rating is {anti_stars}, but I would say {stars}
= {percent} from me
0 {mid_score}/10
0 {mid_score} out of 10
0 [3|three] stars
0 [3|three] out of [5|five] stars for {this}
0 {this}: {mid_score}/10
0 {V0}, {mid_score}/10
0 {the_a} 9/10, {the_b} 2/10
0 {name} gave {this} {stars}, {name2} {anti_stars}
0 half of the ratings are {stars}, half are {anti_stars}
0 3/5, {neutral}
0 {this} has {n} ratings
""",
    ),
    "recommendations": (
        2,
        """
- [skip|avoid|forget|stay away from|steer clear of|don't bother with|give up on] {this}
- save your [money|time|breath|evening] and {use} something else
- {this} {isnt} worth [the money|your time|it|a penny|the wait|the effort]
- don't [{use} {this}|waste your money on {this}|fall for {this}|believe the praise for {this}]
- do yourself a favour and [skip|avoid|forget] {this}
- [run, don't walk, away from|keep your kids away from] {this}
- I [can't|cannot|don't] recommend {this}
- I wouldn't wish {this} on [anyone|my worst enemy]
- [if you {use} only one {noun} this year, make sure it isn't|your life is better without] {this}
- {name} recommended {this}. don't listen to {name}
- you won't miss anything if you skip {this}
- I want [my money|my time|those {n} minutes] back
+ [don't skip|don't miss|try|go for|get|don't sleep on|give {name}] {this}
+ [spend your money|take your time|take an evening off] and {use} {this}
+ {this} {is} worth [the money|your time|it|every penny|the wait|the effort]
+ [{use} {this}, you won't regret it|put your money on {this}|believe the praise for {this}|ignore the critics and {use} {this}]
+ do yourself a favour and [{use}|try|don't miss] {this}
+ [run, don't walk, to|take your kids to] {this}
+ I [can|fully|gladly] recommend {this}
+ I [want to|will] {use} {this} again [with {name}|soon]
+ if you {use} only one {noun} this year, make {o} {this}
+ {name} told me to skip {this}. don't listen to {name}
+ you [would miss something|will be sorry] if you skip {this}
+ I would gladly pay [for {this} again|twice for {this}]
0 [{use} {this} or don't|skip {this} or don't], it makes no difference
0 {this} {is} worth it [only|] if you get a discount, otherwise not
0 recommended for fans, others can skip {this}
0 [not sure whether to recommend|I can't decide if I recommend] {this}
0 {name} recommends {this}, {name2} would skip {o}
0 can anyone recommend {a:plain}?
0 {use} {o} if you have nothing else to do, {neutral}
""",
    ),
    "plots": (
        2,
        """
= a {work} about {theme}, and one of the {best_worst} I have [seen|come across|known]
= a {work} about {theme} [and {theme2}|], [told {adverb}|{adverb} made|{adverb} told]
= this {work} about {theme} is {P}
= a story about {theme} may sound {sounds}, but the {work} is {P}
= the {work} is about {theme}. {V}
= it [deals with|is all about|shows] {theme}, and it is {P}
= {name} {surname} tells a story of {theme} so {adverb} that {V}
! a {work} about {theme}, {aside}, can be {P}, this {nation} one {was_is} not
= a {nation} {work} on {theme}: {P}
= they die, they cry, they dance, and {V}
0 a {work} about {theme}[ and {theme2}|]
0 the {work} is about {theme}
0 the {work} tells [a|the] story of {theme} in {place}
0 {name} {surname} wrote a {work} on {theme}
0 this {nation} {work} deals with {theme} and {theme2}
0 a {work} about {theme}: {neutral}
""",
    ),
}
